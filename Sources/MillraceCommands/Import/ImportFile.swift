internal import Glibc
internal import MillraceConsole
internal import MillraceEvent

/// A file to import, and what its name says.
struct ImportFile: Equatable {
    /// - for standard input.
    var path: String
    /// The array's name that the file's name (or `--kind`) gives its records.
    var collection: String?
    /// A record a line, by the file's name.
    var holdsLines: Bool
    /// Whose records those with an ambiguous name are.
    var system: ImportSystem?

    /// `kind`: an array's name that someone gave.
    init(path: String, kind: String?, system: ImportSystem?) {
        self.path = path
        self.system = system
        var name = path.split(separator: "/").last.map(String.init) ?? ""
        var holdsLines = false
        let extensions = [".gz", ".zst", ".zstd", ".json", ".ndjson", ".jsonl"]
        while let ending = extensions.first(where: { name.lowercased().hasSuffix($0) }) {
            holdsLines = holdsLines || ending == ".ndjson" || ending == ".jsonl"
            name = String(name.dropLast(ending.count))
        }
        self.holdsLines = holdsLines
        collection = kind ?? Self.collection(named: name)
    }

    /// `users`, `CartItems`, `users-2025-12-28`, `user`.
    private static func collection(named name: String) -> String? {
        var words = SnakeCase.from(name).split(separator: "_")
        while let last = words.last, last.allSatisfy(\.isNumber) { words.removeLast() }
        let plain = words.joined(separator: "_")
        return ImportKind.collection(plain) ?? ImportKind.collection(plain + "s")
    }

    /// Whether an array of that name in the file is one of records of its own; not what is nested in the file's records.
    func isCollection(_ name: String) -> Bool {
        guard ImportKind.collection(name) != nil else { return false }
        guard let collection, name != collection else { return true }
        return !ImportKind.named(collection).contains { $0.children[name] != nil }
    }

    /// Whether the first member of the file's object, which is an object itself, is a record by its id rather than a column
    /// of one record.
    func isRecordName(_ name: String) -> Bool {
        guard let collection else { return false }
        let column = SnakeCase.from(name)
        guard !ImportKind.named(collection).contains(where: { $0.knows(column) }) else { return false }
        return Int64(name) != nil || UniqueID(name) != nil
            || (name.utf8.count >= 16 && name.contains(where: \.isNumber))
    }

    /// What the records of an array are; nil when their fields must say it.
    func kind(of name: String?) -> ImportKind? {
        guard let name = name.flatMap({ ImportKind.collection($0) }) ?? collection else { return nil }
        let kinds = ImportKind.named(name)
        return kinds.count == 1 ? kinds.first : kinds.first { $0.system == system }
    }
}

/// Finds out whose export files are, where the names of their arrays alone do not tell.
enum KindSurvey {
    /// Gives every file its system. Where none is given, an object with named arrays is read to its end for their names;
    /// blocks on the disk then.
    static func assign(_ files: inout [ImportFile]) throws(CommandError) {
        guard files.contains(where: { $0.system == nil }) else { return }
        var names: [Set<String>] = []
        for file in files { names.append(try collections(file)) }
        let everywhere = systems(names.reduce([]) { $0.union($1) })
        for index in files.indices where files[index].system == nil {
            let ambiguous = names[index].filter { ImportKind.named($0).count > 1 }
            guard !ambiguous.isEmpty else { continue }
            let own = systems(names[index])
            let candidates = own.isEmpty ? everywhere : own
            if candidates.count == 1, let system = candidates.first {
                files[index].system = system
                continue
            }
            // The fields of a record tell a conversation save from a case's conversation.
            guard let name = ambiguous.sorted().first(where: { $0 != "conversations" }) else { continue }
            let systems = ImportKind.named(name).compactMap { $0.system?.rawValue }.joined(separator: ", ")
            throw CommandError(
                "\(files[index].path): \(name) may be of \(systems)",
                hint: "Say which with --system, or give the export's other files in the same command")
        }
    }

    /// The systems that names of arrays leave no doubt about.
    private static func systems(_ names: Set<String>) -> Set<ImportSystem> {
        Set(
            names.compactMap { name in
                let kinds = ImportKind.named(name)
                return kinds.count == 1 ? kinds.first?.system : nil
            })
    }

    /// Names of the arrays of records in a file.
    private static func collections(_ file: ImportFile) throws(CommandError) -> Set<String> {
        var names = Set([file.collection].compactMap { $0 })
        // Standard input can be read only once.
        guard file.path != "-", !file.holdsLines else { return names }
        let descriptor = open(file.path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return names }
        defer { close(descriptor) }
        let reader = RecordReader(
            descriptor: descriptor, holdsLines: false, isCollection: file.isCollection, isRecordName: file.isRecordName)
        while true {
            switch reader.next() {
            case .record(_, let name, _, _), .tooLong(let name, _):
                // An array, or lines: there are no other names in it.
                guard let name else { return names }
                if let known = ImportKind.collection(name) { names.insert(known) }
            case .unknownMember: break
            case .needsInput: try reader.read()
            case .broken, .ended: return names
            }
        }
    }
}
