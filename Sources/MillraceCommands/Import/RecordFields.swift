internal import MillraceEvent
internal import MillraceJSON

/// The members of one record of a pack as the columns of its events' payload.
struct RecordFields {
    private let kind: ImportKind
    /// JSON texts by column.
    var values: [String: [UInt8]] = [:]
    private(set) var times: [String: Timestamp] = [:]
    /// Arrays of records that become events of their own.
    private(set) var children: [(kind: ImportKind, text: ArraySlice<UInt8>)] = []
    /// Secrets left out.
    private(set) var secretCount = 0
    /// The record's id where that is a UUID and the pack has numbers.
    private(set) var sourceID: UniqueID?
    /// Whether it says that it is deleted, and not when.
    private(set) var isDeleted = false
    /// Of a user, where hashes are taken.
    private(set) var passwordHash: String?
    private let numbers: SourceNumbers
    private let takesHashes: Bool

    /// Begins without members. `takesHashes`: whether password hashes are asked for.
    init(_ kind: ImportKind, numbers: SourceNumbers, takesHashes: Bool) {
        self.kind = kind
        self.numbers = numbers
        self.takesHashes = takesHashes
    }

    /// Throws at the first member that its column can't be made of.
    mutating func take(_ members: [JSONScanner.Member]) throws(RecordRefusal) {
        var seen: Set<String> = []
        for member in members {
            let (name, value) = (member.name, member.value)
            let snake = SnakeCase.from(name)
            if SecretName.matches(snake) {
                if takesHashes, kind.name == "users", PasswordHash.isName(snake),
                    value.first == UInt8(ascii: "\""), case let text = JSONString.text(of: value),
                    PasswordHash.isHash(text)
                {
                    passwordHash = text
                } else {
                    secretCount += 1
                }
                continue
            }
            if let child = kind.children[snake], value.first == UInt8(ascii: "[") {
                guard let childKind = ImportKind.named(child).first(where: { $0.system == kind.system }) else {
                    continue
                }
                children.append((childKind, value))
                continue
            }
            let column = kind.aliases[snake].flatMap { kind.columns.contains(snake) ? nil : $0 } ?? snake
            let key = kind.columns.contains(column) || column == "deleted_at" ? column : name
            guard seen.insert(key).inserted else { throw RecordRefusal("duplicate_field", "\(key) is there twice") }
            if JSONScanner.isNull(value) {
                // A missing column is its default or NULL.
                if !kind.columns.contains(key), key != "deleted_at" { values[key] = Array(value) }
            } else if key == "deleted_at", kind.deletedType != nil {
                guard let time = RecordTime.parse(value) else {
                    throw RecordRefusal("invalid_deleted_at", "deleted_at is no time such as 2026-01-31T12:00:00Z")
                }
                times[key] = time
            } else if snake == "is_deleted" || snake == "deleted", !kind.columns.contains(snake),
                kind.deletedType != nil,
                let isDeleted = Self.flag(value)
            {
                self.isDeleted = isDeleted
            } else if kind.times.contains(key) {
                guard let time = RecordTime.parse(value) else {
                    throw RecordRefusal("invalid_\(key)", "\(key) is no time such as 2026-01-31T12:00:00Z")
                }
                times[key] = time
                values[key] = JSONString.literal(time.rfc3339)
            } else if key == "id" || kind.references.contains(key) {
                values[key] = try id(value, key)
            } else if let words = kind.values[key] {
                values[key] = try Self.word(value, key, words)
            } else {
                var text: [UInt8] = []
                secretCount += JSONRewriter.append(value, to: &text, droppingSecrets: true)
                values[key] = text
            }
        }
        if let sourceID, values["source_id"] == nil { values["source_id"] = JSONString.literal("\(sourceID)") }
    }

    private static func flag(_ value: ArraySlice<UInt8>) -> Bool? {
        switch String(decoding: value, as: UTF8.self) {
        case "true", "1": true
        case "false", "0": false
        default: nil
        }
    }

    /// Sees that there is an `id` where one is wanted.
    mutating func identify() throws(RecordRefusal) {
        if values["id"] != nil { return }
        switch kind.identity {
        case .required: throw RecordRefusal("missing_field", "id is missing")
        case .optional: return
        case .derived(let columns):
            var parts = [Array("import".utf8), Array(kind.eventType.utf8)]
            for column in columns {
                guard let value = values[column] else {
                    throw RecordRefusal("missing_field", "id is missing, and \(column), which would stand in, is too")
                }
                parts.append(value)
            }
            if columns.isEmpty { parts.append(JSONWriter.object(values)) }
            values["id"] = JSONString.literal("\(ContentIdentity.id(of: parts))")
        }
    }

    private mutating func id(_ value: ArraySlice<UInt8>, _ name: String) throws(RecordRefusal) -> [UInt8] {
        let isText = value.first == UInt8(ascii: "\"")
        let text = isText ? JSONString.text(of: value) : String(decoding: value, as: UTF8.self)
        switch kind.idType {
        case .any:
            let id =
                UniqueID(text)
                ?? ContentIdentity.id(of: [Array("import".utf8), Array(kind.eventType.utf8), Array(text.utf8)])
            return JSONString.literal("\(id)")
        case .integer:
            if let number = Int64(text) { return Array(String(number).utf8) }
            guard isText, let id = UniqueID(text) else {
                throw RecordRefusal("invalid_\(name)", "\(name) is neither a whole number of 64 bits nor a UUID")
            }
            if name == "id" { sourceID = id }
            return Array(String(numbers(id)).utf8)
        case .uuid:
            guard isText, let id = UniqueID(text) else { throw RecordRefusal("invalid_\(name)", "\(name) is no UUID") }
            return JSONString.literal("\(id)")
        }
    }

    private static func word(_ value: ArraySlice<UInt8>, _ name: String, _ words: [String]) throws(RecordRefusal)
        -> [UInt8]
    {
        let given = value.first == UInt8(ascii: "\"") ? JSONString.text(of: value).lowercased() : ""
        let plain = String(given.map { $0 == "-" || $0 == " " ? "_" : $0 })
        guard let word = words.first(where: { $0.lowercased() == plain }) else {
            throw RecordRefusal("invalid_\(name)", "\(name) is none of \(words.joined(separator: ", "))")
        }
        return JSONString.literal(word)
    }
}
