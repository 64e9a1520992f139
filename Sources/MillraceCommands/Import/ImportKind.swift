internal import ArgumentParser

/// What one array of an export holds, and which events its records become.
struct ImportKind: Equatable {
    enum Shape: Equatable {
        /// A record is the state of something: its event is of the time it was saved.
        case entity
        /// A record is something that happened once: its event is of that time.
        case occurrence
        /// A conversation save in Millrace's own format.
        case conversationSave
        /// An event in Millrace's own format.
        case event
    }

    enum IDType: Equatable {
        case integer
        case uuid
        /// What is no UUID becomes one that is made of it.
        case any
    }

    enum Identity: Equatable {
        /// A record without `id` is bad.
        case required
        /// `id` may be missing.
        case optional
        /// A missing `id` is a UUID made of these columns; of all when none is named.
        case derived(from: [String])
    }

    /// nil for what belongs to no pack.
    var system: ImportSystem?
    /// The array's name, plural, in snake_case; what the summary says.
    var name: String
    var shape: Shape = .entity
    /// Empty for records in Millrace's own format.
    var eventType = ""
    var idType: IDType = .any
    var identity = Identity.required
    /// Names that are told from their camelCase. Everything else keeps its own name.
    var columns: Set<String> = []
    /// Other spellings, in snake_case.
    var aliases: [String: String] = [:]
    /// Of `columns`: those that hold a time, and become RFC 3339.
    var times: Set<String> = []
    /// Of `columns`: those that hold an id of `idType`, beside `id`.
    var references: Set<String> = []
    /// Of `columns`: those with few values, which are told from any letter case.
    var values: [String: [String]] = [:]
    /// Nested arrays by their name, with the name of their kind.
    var children: [String: String] = [:]
    /// The column by which a nested record of this kind names what it is nested in, by the name of that kind.
    var parentColumns: [String: String] = [:]

    /// The event that ends what a record with `deleted_at` is the state of; nil where nothing can.
    var deletedType: String? {
        for ending in ["_saved", "_given", "_captured"] where eventType.hasSuffix(ending) {
            return eventType.dropLast(ending.count) + "_deleted"
        }
        return nil
    }

    /// The column that the name of a record is when records are members of an object.
    var keyColumn: String { shape == .conversationSave ? "conversation_id" : "id" }

    /// Whether a member of a record may have that name, in snake_case.
    func knows(_ name: String) -> Bool {
        columns.contains(name) || aliases[name] != nil || children[name] != nil || references.contains(name)
    }
}

/// Whose export it is: the pack that its events are for.
enum ImportSystem: String, CaseIterable, Encodable, ExpressibleByArgument {
    case workspaces
    case commerce
    case casework
    case conversations
}
