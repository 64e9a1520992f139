internal import MillraceEvent
internal import MillraceJSON

/// Turns records into lines for the daemon.
///
/// 1. The same record gives the same lines, however often and with whatever else it is imported: a line's id is made of
///    its event type and payload, its time is the record's (or the file's), never the clock's. Of what is too old for the
///    daemon the clock decides the time, and the id begins with the record's: events of one time are in order of their
///    ids, and an entity keeps the latest state by the time in the id (`FoldRow.stateAt`).
/// 2. Nothing goes out that the daemon's own parser does not take.
/// 3. Passwords, their hashes and other secrets are left out of every payload.
final class RecordTranslator {
    /// What became of one record.
    struct Result {
        var lines: [ImportLine] = []
        /// What was refused: the record itself, or one nested in it.
        var refusals: [(kind: String?, refusal: RecordRefusal)] = []
    }

    /// What a nested record gets from the one that holds it.
    struct Parent {
        var kind: ImportKind
        var id: [UInt8]?
        var createdAt: Timestamp?
        var updatedAt: Timestamp?
        /// Where the nested record stands in its array, from 0.
        var index: Int
    }

    let limits: EventLimits
    /// Whose the lines become: ids of conversation saves go by it.
    let tenant: Int32
    private let lineBytesMax: Int
    /// For records as they stand in the file.
    private let recordLimits: EventLimits
    private let parser = EventParser()
    /// Secrets left out.
    private(set) var secretCount = 0
    /// Records whose id was a UUID where the pack has numbers.
    private(set) var derivedIDCount = 0
    private var numbers: SourceNumbers
    private let takesHashes: Bool
    /// What the daemon does with saves, whose ids go by it.
    private let fields: FieldTreatment?

    /// `lineBytesMax`: the daemon's `limits.line_bytes`.
    /// `takesHashes`: whether password hashes are asked for.
    init(
        limits: EventLimits, lineBytesMax: Int, tenant: Int32 = 0, takesHashes: Bool = false,
        numbers: SourceNumbers = SourceNumbers(), fields: FieldTreatment? = nil
    ) {
        self.fields = fields
        self.tenant = tenant
        self.numbers = numbers
        self.takesHashes = takesHashes
        self.limits = limits
        self.lineBytesMax = lineBytesMax
        recordLimits = EventLimits(
            payloadBytes: .max, payloadTextBytes: .max,
            depth: min(EventLimits.depthCeiling, limits.depth + 4))
    }

    /// `kind`: nil lets the fields decide between an event and a conversation save. `key`: the record's name, where records
    /// are members of an object; its id, unless it has one. `fileTime`: when what the file holds
    /// was so. `now`: what old times are told from.
    func translate(
        _ record: ArraySlice<UInt8>, kind: ImportKind?, key: String?, fileTime: Timestamp, now: Timestamp
    ) -> Result {
        var result = Result()
        do throws(RecordRefusal) {
            try check(record, now: now)
        } catch {
            return Result(refusals: [(kind?.name, error)])
        }
        append(record, kind, key: key, parent: nil, fileTime: fileTime, now: now, to: &result)
        return result
    }

    /// The id of a save's row, once the daemon has treated it.
    func rowID(of save: ConversationSave) -> UniqueID {
        fields?.id(of: save, tenant: tenant) ?? save.id(tenant: tenant)
    }

    private func append(
        _ record: ArraySlice<UInt8>, _ kind: ImportKind?, key: String? = nil, parent: Parent?, fileTime: Timestamp,
        now: Timestamp, to result: inout Result
    ) {
        do throws(RecordRefusal) {
            guard record.first == UInt8(ascii: "{") else { throw RecordRefusal("not_an_object", "it is no object") }
            var members = JSONScanner.members(record)
            if let key {
                // Whose conversations they are, only their fields tell.
                let isSave = kind == nil && members.contains { SnakeCase.from($0.name) == "question" }
                if let kind = isSave ? ImportKind.conversationSave : kind { Self.add(key, to: &members, of: kind) }
            }
            guard let kind = Self.kind(of: members, given: kind) else {
                throw RecordRefusal(
                    "unknown_kind", "it is neither an event nor a conversation save; say what it is with --kind")
            }
            switch kind.shape {
            case .event: result.lines.append(try event(members, kind, fileTime: fileTime, now: now))
            case .conversationSave: result.lines += try save(members, kind, fileTime: fileTime, now: now)
            case .entity, .occurrence:
                try appendPackEvents(members, kind, parent, fileTime: fileTime, now: now, to: &result)
            }
        } catch {
            result.refusals.append((kind?.name, error))
        }
    }

    private static func add(_ key: String, to members: inout [JSONScanner.Member], of kind: ImportKind) {
        let isThere = members.contains { member in
            let snake = SnakeCase.from(member.name)
            return (kind.aliases[snake] ?? snake) == kind.keyColumn && !JSONScanner.isNull(member.value)
        }
        guard !isThere else { return }
        members.removeAll { SnakeCase.from($0.name) == kind.keyColumn }
        members += JSONScanner.members(JSONWriter.object([kind.keyColumn: JSONString.literal(key)])[...])
    }

    /// Millrace's own formats are told by their fields.
    private static func kind(
        of members: [JSONScanner.Member], given: ImportKind?
    ) -> ImportKind? {
        if let given, given.shape == .entity || given.shape == .occurrence { return given }
        let names = Set(members.map { SnakeCase.from($0.name) })
        if names.contains("event_type") { return .event }
        if names.isSuperset(of: ["conversation_id", "question"]) { return .conversationSave }
        return given
    }

    // MARK: - Events of packs

    private func appendPackEvents(
        _ members: [JSONScanner.Member], _ kind: ImportKind, _ parent: Parent?,
        fileTime: Timestamp, now: Timestamp, to result: inout Result
    ) throws(RecordRefusal) {
        var fields = RecordFields(kind, numbers: numbers, takesHashes: takesHashes)
        defer { secretCount += fields.secretCount }
        try fields.take(members)
        if let parent, let column = kind.parentColumns[parent.kind.name], fields.values[column] == nil,
            let id = parent.id
        {
            fields.values[column] = id
        }
        try fields.identify()
        if let id = fields.sourceID {
            try numbers.take(id, kind.eventType)
            derivedIDCount += 1
        }
        let time =
            switch kind.shape {
            case .occurrence: fields.times["created_at"] ?? parent?.createdAt ?? fileTime
            default: fields.times["updated_at"] ?? parent?.updatedAt ?? fileTime
            }
        var lines = [
            try packLine(kind, kind.eventType, fields.values, parent, time: time, isCounted: true, now: now)
        ]
        if let hash = fields.passwordHash, let id = lines[0].recordID, let system = kind.system {
            lines[0].passwordHash = PasswordHash(pack: system.rawValue, userID: id, hash: hash, savedAt: time)
        }
        let deletedAt = fields.times["deleted_at"] ?? (fields.isDeleted ? time : nil)
        if let type = kind.deletedType, let deletedAt, let id = fields.values["id"] {
            // After the state, or it would not count.
            let later = max(deletedAt, time.advanced(by: .microseconds(1)))
            lines.append(try packLine(kind, type, ["id": id], nil, time: later, isCounted: false, now: now))
        }
        result.lines += lines
        for (childKind, text) in fields.children {
            for (index, element) in JSONScanner.elements(text).enumerated() {
                let here = Parent(
                    kind: kind, id: fields.values["id"], createdAt: fields.times["created_at"],
                    updatedAt: fields.times["updated_at"], index: index)
                append(element, childKind, parent: here, fileTime: fileTime, now: now, to: &result)
            }
        }
    }

    func packLine(
        _ kind: ImportKind, _ eventType: String, _ values: [String: [UInt8]], _ parent: Parent?,
        time: Timestamp, isCounted: Bool, now: Timestamp
    ) throws(RecordRefusal) -> ImportLine {
        let payload = JSONWriter.object(values)
        var identity = [Array("import".utf8), Array(eventType.utf8), payload]
        // Two nested records without an id may say the same and are two.
        if values["id"] == nil, let parent { identity.append(Array(String(parent.index).utf8)) }
        let rank = values["id"].flatMap { Int64(String(decoding: $0, as: UTF8.self)) } ?? Int64(parent?.index ?? 0)
        let oldest = RecordTime.monthStart(from: now.advanced(by: .zero - limits.acceptPast))
        // What is of that very time is among those that are moved there.
        let dated = time <= oldest ? DatedIdentity.id(at: time, rank: rank, of: identity) : nil
        var line: [String: [UInt8]] = [
            "id": JSONString.literal("\(dated ?? DatedIdentity.id(rank: rank, of: identity))"),
            "event_type": JSONString.literal(eventType),
            "payload": payload, "created_at": JSONString.literal(max(time, oldest).rfc3339),
        ]
        if let user = values["user_id"], user.first == UInt8(ascii: "\""),
            UniqueID(JSONString.text(of: user[...])) != nil
        {
            line["user_id"] = user
        }
        var made = try checkedLine(line, kind, isMoved: time < oldest, isCounted: isCounted, now: now, isEvent: true)
        made.recordID = values["id"].map {
            $0.first == UInt8(ascii: "\"") ? JSONString.text(of: $0[...]) : String(decoding: $0, as: UTF8.self)
        }
        return made
    }

    // MARK: - JSON

    /// Refuses what is no JSON that PostgreSQL can hold.
    private func check(_ record: ArraySlice<UInt8>, now: Timestamp) throws(RecordRefusal) {
        guard record.first == UInt8(ascii: "{") else {
            // Spaces in front of a record on a line of its own.
            let first = record.first { !JSONScanner.isSpace($0) }
            guard first == UInt8(ascii: "{") else { throw RecordRefusal("not_an_object", "it is no object") }
            return try check(record.drop { JSONScanner.isSpace($0) }, now: now)
        }
        var line = Array("{\"event_type\":\"import\",\"payload\":".utf8)
        line += record
        line.append(UInt8(ascii: "}"))
        try validate(&line, limits: recordLimits, now: now, kind: .event)
    }

    func checkedLine(
        _ members: [String: [UInt8]], _ kind: ImportKind, isMoved: Bool, isCounted: Bool, now: Timestamp,
        isEvent: Bool = false
    ) throws(RecordRefusal) -> ImportLine {
        var line = JSONWriter.object(members)
        guard line.count <= lineBytesMax else {
            throw RecordRefusal(
                "line_too_long",
                "its event has \(line.count) bytes; at most \(lineBytesMax) (limits.line_bytes) are taken")
        }
        try validate(
            &line, limits: limits, now: now,
            kind: kind.shape == .conversationSave && !isEvent ? .conversation : .event)
        let id = members[kind.shape == .conversationSave ? "conversation_id" : "id"].map {
            JSONString.text(of: $0[...])
        }
        return ImportLine(kind: kind.name, recordID: id, bytes: line, isMoved: isMoved, isCounted: isCounted)
    }

    private func validate(
        _ line: inout [UInt8], limits: EventLimits, now: Timestamp, kind: RecordKind
    ) throws(RecordRefusal) {
        let count = line.count
        line.append(contentsOf: repeatElement(0, count: EventParser.paddingBytes))
        defer { line.removeLast(EventParser.paddingBytes) }
        // Spelled out because `withUnsafeBytes` does not pass a typed error on.
        let outcome = line.withUnsafeBytes { bytes in
            Swift.Result { () throws(Refusal) in
                _ = try parser.validate(
                    UnsafeRawBufferPointer(rebasing: bytes[..<count]), limits: limits, receivedAt: now, kind: kind)
            }
        }
        if case .failure(let refusal) = outcome { throw RecordRefusal(refusal) }
    }
}

/// One line for the daemon, made of a record.
struct ImportLine: Equatable {
    /// The name of the record's kind.
    var kind: String
    /// The record's own id, or that of the conversation; for messages.
    var recordID: String?
    var bytes: [UInt8]
    /// Its time is not the record's, which the daemon would not take any more.
    var isMoved: Bool
    /// False when the record has another line that counts for it.
    var isCounted: Bool
    /// Goes its own way once the line is accepted.
    var passwordHash: PasswordHash?
}

/// Why a record becomes no event.
struct RecordRefusal: Error, Equatable {
    /// snake_case; the daemon's own where it would refuse.
    var code: String
    var message: String

    init(_ code: String, _ message: String) {
        self.code = code
        self.message = message
    }

    init(_ refusal: Refusal) {
        code = refusal.code.rawValue
        message = refusal.message
        if refusal.code == .createdAtOutOfRange { message += "; raise partitions.accept_past for the daemon and here" }
    }
}
