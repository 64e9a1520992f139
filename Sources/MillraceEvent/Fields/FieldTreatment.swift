internal import CMillrace

/// `[fields]`, made ready: which values of a line are replaced before it is written anywhere, and by what.
///
/// Immutable, and shared by all threads that treat lines (`EventParser.treat`). Treating what was treated already changes
/// nothing: an encrypted value of this tenant, a hash by this key and a masked text stay as they are.
package final class FieldTreatment: @unchecked Sendable {  // SAFETY: the finder is read only once it is made.
    /// The member of `payload` and `metadata` that holds the blind index. What a client sends under this name is replaced.
    package static let indexMember = "millrace_index"

    struct Rule {
        var action: FieldAction
        var isIndexed: Bool
        var indexName: String
        /// An encrypted one holds the save's identity.
        var isQuestion: Bool
    }

    let finder: OpaquePointer
    let rules: [Rule]
    let maskKeep: Int
    package let keys: FieldKeys
    /// Paths with a blind index, by their names in it.
    package let indexNames: Set<String>

    /// Nil where nothing is listed. `keys`: nil where `fields.keys_file` is not set. Throws what is wrong.
    package static func make(
        _ configuration: FieldsConfiguration, keys: FieldKeys?
    ) throws(FieldsError) -> FieldTreatment? {
        configuration.isEmpty ? nil : try FieldTreatment(configuration, keys: keys)
    }

    private init(_ configuration: FieldsConfiguration, keys: FieldKeys?) throws(FieldsError) {
        let plan = try FieldPlan(configuration)
        if keys == nil, !plan.purposes.isEmpty {
            throw FieldsError(
                key: "fields.keys_file",
                message: "is not set, and what is listed needs keys; `millrace fields keys > FILE` makes them")
        }
        let keys = if let keys { keys } else { try FieldKeys("") }
        for purpose in plan.purposes where keys.active(purpose) == nil { throw FieldKeys.missing(purpose) }
        guard let finder = mr_finder_create() else { preconditionFailure("there is no memory for a finder") }
        self.finder = finder
        self.keys = keys
        rules = plan.rules.map(\.rule)
        maskKeep = configuration.maskKeep
        indexNames = Set(rules.filter(\.isIndexed).map(\.indexName))
        try plan.fill(finder)
    }

    deinit {
        mr_finder_destroy(finder)
    }

    /// The id of the row that a save becomes.
    package func id(of save: ConversationSave, tenant: Int32) -> UniqueID {
        var save = save
        let rule = rules.first { $0.isQuestion }
        if rule?.action == .encrypt, let key = keys.active(.identity) {
            let identity = Array(save.conversationID.utf8).withUnsafeBufferPointer { conversation in
                Array(save.question.utf8).withUnsafeBufferPointer { question in
                    FieldWriter.identity(tenant, save.createdAt.microseconds, conversation, question, key)
                }
            }
            // Of a sealed question, the id goes by its last word alone.
            save.question = "mr1..." + String(decoding: identity, as: UTF8.self)
        } else if rule?.action == .sha256, let key = keys.active(.hash) {
            save.question = String(decoding: FieldWriter.hash(Array(save.question.utf8), tenant, key), as: UTF8.self)
        }
        return save.id(tenant: tenant)
    }

    /// A refused line, or what else of a client is kept without being treated: as a whole, so that only who has the keys
    /// reads it. Nil where there is no key to encrypt with.
    package func sealed(line: UnsafeRawBufferPointer, tenant: Int32) -> String? {
        var out: [UInt8] = []
        do {
            try SealedValue.append(line.bindMemory(to: UInt8.self), .line, tenant: tenant, keys, to: &out)
        } catch {
            return nil
        }
        return String(decoding: out, as: UTF8.self)
    }
}

extension FieldKeys {
    /// The line that was sealed as `text`. Nil where it is none of this tenant's, or its key is not here.
    package func line(sealedAs text: String, tenant: Int32) -> [UInt8]? {
        SealedValue.parts(text.utf8, .line).flatMap { SealedValue.open($0, .line, tenant: tenant, self) }
    }

    /// Whether `text` looks like a line that was sealed.
    package static func isSealed(line text: String) -> Bool { SealedValue.parts(text.utf8, .line) != nil }
}

extension FieldsConfiguration {
    /// What is done with values at `path` (the top-level field first), or within it or around it; nil: nothing. `isMeant`:
    /// whether an event type counts; asked with nil for paths of all types.
    package func action(on path: [String], ofType isMeant: (String?) -> Bool) -> FieldAction? {
        let lists = [(FieldAction.drop, drop), (.mask, mask), (.sha256, sha256), (.encrypt, encrypt)]
        for (action, list) in lists {
            for text in list {
                guard let listed = try? ListedPath(text, of: "fields.\(action)"), isMeant(listed.eventType) else {
                    continue
                }
                let isSame = zip(listed.steps, path).allSatisfy { $0 == .any || $0 == .name($1) }
                if isSame { return action }
            }
        }
        return nil
    }

    /// What is wrong with the paths; nil: nothing. Does not look at the keys.
    package var flaw: FieldsError? {
        do throws(FieldsError) {
            _ = try FieldPlan(self)
            return nil
        } catch {
            return error
        }
    }
}

/// The paths of `[fields]`, checked, and how they become scopes of the finder.
struct FieldPlan {
    var rules: [(path: ListedPath, rule: FieldTreatment.Rule)] = []

    /// What keys are needed for.
    var purposes: Set<FieldKeys.Purpose> {
        var purposes: Set<FieldKeys.Purpose> = []
        for (_, rule) in rules {
            if rule.action == .encrypt { purposes.insert(.encrypt) }
            if rule.action == .encrypt, rule.isQuestion { purposes.insert(.identity) }
            if rule.action == .sha256 { purposes.insert(.hash) }
            if rule.isIndexed { purposes.insert(.index) }
        }
        return purposes
    }

    init(_ configuration: FieldsConfiguration) throws(FieldsError) {
        var indexed = try Self.paths(configuration.index, "fields.index")
        let encrypted = try Self.paths(configuration.encrypt, "fields.encrypt")
        for path in encrypted { try add(path, .encrypt, isIndexed: indexed.remove(path) != nil) }
        if let path = indexed.first {
            throw FieldsError(
                key: "fields.index", message: "\"\(path)\" is not in fields.encrypt; wanted: paths that are, as there")
        }
        for path in try Self.paths(configuration.sha256, "fields.sha256") { try add(path, .sha256) }
        for path in try Self.paths(configuration.mask, "fields.mask") { try add(path, .mask) }
        for path in try Self.paths(configuration.drop, "fields.drop") { try add(path, .drop) }
    }

    private static func paths(_ texts: [String], _ setting: String) throws(FieldsError) -> Set<ListedPath> {
        var paths: Set<ListedPath> = []
        for text in texts {
            guard paths.insert(try ListedPath(text, of: setting)).inserted else {
                throw FieldsError(key: setting, message: "\"\(text)\" is there twice")
            }
        }
        return paths
    }

    private mutating func add(
        _ path: ListedPath, _ action: FieldAction, isIndexed: Bool = false
    ) throws(FieldsError) {
        let setting = "fields.\(action)"
        let top = path.top
        if top == "question" || top == "response", action == .drop {
            throw FieldsError(key: setting, message: "\(top) is wanted of every save; mask or encrypt it")
        }
        if top == "question", action == .mask {
            throw FieldsError(
                key: setting,
                message: "question tells one save from another: masked ones would be duplicates; encrypt or hash it")
        }
        if isIndexed, top == "question" || top == "response" {
            throw FieldsError(
                key: "fields.index", message: "\(top) can't be searched; wanted: paths of payload and metadata")
        }
        if case .name(FieldTreatment.indexMember) = path.steps.dropFirst().first {
            throw FieldsError(key: setting, message: "\(path) is the blind index itself")
        }
        if let other = rules.first(where: { $0.path.overlaps(path) }) {
            throw FieldsError(
                key: setting,
                message: "\"\(path)\" and \"\(other.path)\" of fields.\(other.rule.action) overlap; keep one")
        }
        let rule = FieldTreatment.Rule(
            action: action, isIndexed: isIndexed, indexName: path.indexName, isQuestion: top == "question")
        rules.append((path, rule))
    }

    /// A scope for saves, one for events of no type in particular, and for each type that has paths of its own one more.
    func fill(_ finder: OpaquePointer) throws(FieldsError) {
        try fill(finder, MR_KIND_CONVERSATION, type: nil) { $0.isOfConversations }
        let types = Set(rules.map(\.path).filter { !$0.isOfConversations }.map(\.eventType))
        for type in types {
            try fill(finder, MR_KIND_EVENT, type: type) {
                !$0.isOfConversations && ($0.eventType == nil || $0.eventType == type)
            }
        }
    }

    private func fill(
        _ finder: OpaquePointer, _ kind: Int, type: String?, _ belongs: (ListedPath) -> Bool
    ) throws(FieldsError) {
        let chosen = rules.indices.filter { belongs(rules[$0].path) }
        guard !chosen.isEmpty else { return }
        let scope = Self.withText(type) { mr_finder_scope(finder, UInt8(kind), $0) }
        for index in chosen {
            let (path, rule) = rules[index]
            let isAdded = Self.withTexts(path.steps) {
                mr_finder_add(finder, scope, $0, path.steps.count, rule.action.rank, UInt32(index))
            }
            guard isAdded else {
                throw FieldsError(
                    key: "fields.\(rule.action)",
                    message: "\"\(path)\" is one too many; at most \(MR_FINDER_WILDCARDS_MAX) paths with * go together")
            }
        }
        guard chosen.contains(where: { rules[$0].rule.isIndexed }) else { return }
        let top = kind == MR_KIND_EVENT ? "payload" : "metadata"
        _ = Self.withText(top) { mr_finder_mark_end(finder, scope, $0) }
        _ = Self.withTexts([.name(top), .name(FieldTreatment.indexMember)]) {
            mr_finder_add(finder, scope, $0, 2, FieldAction.drop.rank, 0)
        }
    }

    private static func withText<Result>(_ text: String?, _ body: (mr_text) -> Result) -> Result {
        guard var text else { return body(mr_text(bytes: nil, length: 0)) }
        return text.withUTF8 { body(mr_text(bytes: $0.baseAddress, length: $0.count)) }
    }

    private static func withTexts<Result>(
        _ steps: [ListedPath.Step], _ body: (UnsafePointer<mr_text>?) -> Result
    ) -> Result {
        // One piece of memory for all names; an empty name has an address, too.
        var names: [UInt8] = []
        var ranges: [Range<Int>?] = []
        for step in steps {
            guard case .name(let name) = step else {
                ranges.append(nil)
                continue
            }
            ranges.append(names.count..<names.count + name.utf8.count)
            names += name.utf8
        }
        names.append(0)
        return names.withUnsafeBufferPointer { names in
            let texts = ranges.map { range in
                mr_text(
                    bytes: range.flatMap { names.baseAddress?.advanced(by: $0.lowerBound) }, length: range?.count ?? 0)
            }
            return texts.withUnsafeBufferPointer { body($0.baseAddress) }
        }
    }
}
