internal import MillraceEvent
internal import MillraceJSON

/// Turns records into lines for the daemon.
///
/// 1. The same record gives the same lines, however often and with whatever else it is imported: a line's id is made of
///    its event type and payload, its time is the record's (or the file's), never the clock's. Of what is too old for the
///    daemon the clock decides the time, and the id begins with the record's: events of one time are in order of their
///    ids, and an entity keeps the latest state by the time in the id (`FoldRow.stateAt`).
/// 2. Nothing goes out that the daemon's own parser does not take.
/// 3. Passwords and other secrets are left out of every payload.
final class RecordTranslator {
    /// What became of one record.
    struct Result {
        var lines: [ImportLine] = []
        /// What was refused: the record itself, or one nested in it.
        var refusals: [(kind: String?, refusal: RecordRefusal)] = []
    }

    /// What a nested record gets from the one that holds it.
    private struct Parent {
        var kind: ImportKind
        var id: [UInt8]?
        var createdAt: Timestamp?
        var updatedAt: Timestamp?
        /// Where the nested record stands in its array, from 0.
        var index: Int
    }

    private let limits: EventLimits
    private let lineBytesMax: Int
    /// For records as they stand in the file.
    private let recordLimits: EventLimits
    private let parser = EventParser()
    /// Secrets left out.
    private(set) var secretCount = 0

    /// `lineBytesMax`: the daemon's `limits.line_bytes`.
    init(limits: EventLimits, lineBytesMax: Int) {
        self.limits = limits
        self.lineBytesMax = lineBytesMax
        recordLimits = EventLimits(
            payloadBytes: .max, payloadTextBytes: .max,
            depth: min(EventLimits.depthCeiling, limits.depth + 4))
    }

    /// `kind`: nil lets the fields decide between an event and a conversation save. `fileTime`: when what the file holds
    /// was so. `now`: what old times are told from.
    func translate(
        _ record: ArraySlice<UInt8>, kind: ImportKind?, fileTime: Timestamp, now: Timestamp
    ) -> Result {
        var result = Result()
        do throws(RecordRefusal) {
            try check(record, now: now)
        } catch {
            return Result(refusals: [(kind?.name, error)])
        }
        append(record, kind, parent: nil, fileTime: fileTime, now: now, to: &result)
        return result
    }

    private func append(
        _ record: ArraySlice<UInt8>, _ kind: ImportKind?, parent: Parent?, fileTime: Timestamp, now: Timestamp,
        to result: inout Result
    ) {
        do throws(RecordRefusal) {
            guard record.first == UInt8(ascii: "{") else { throw RecordRefusal("not_an_object", "it is no object") }
            let members = JSONScanner.members(record)
            guard let kind = Self.kind(of: members, given: kind) else {
                throw RecordRefusal(
                    "unknown_kind", "it is neither an event nor a conversation save; say what it is with --kind")
            }
            switch kind.shape {
            case .event: result.lines.append(try event(members, kind, fileTime: fileTime, now: now))
            case .conversationSave: result.lines.append(try save(members, kind, fileTime: fileTime, now: now))
            case .entity, .occurrence:
                try appendPackEvents(members, kind, parent, fileTime: fileTime, now: now, to: &result)
            }
        } catch {
            result.refusals.append((kind?.name, error))
        }
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
        var fields = RecordFields(kind)
        defer { secretCount += fields.secretCount }
        try fields.take(members)
        if let parent, let column = kind.parentColumns[parent.kind.name], fields.values[column] == nil,
            let id = parent.id
        {
            fields.values[column] = id
        }
        try fields.identify()
        let time =
            switch kind.shape {
            case .occurrence: fields.times["created_at"] ?? parent?.createdAt ?? fileTime
            default: fields.times["updated_at"] ?? parent?.updatedAt ?? fileTime
            }
        var lines = [
            try packLine(kind, kind.eventType, fields.values, parent, time: time, isCounted: true, now: now)
        ]
        if let type = kind.deletedType, let deletedAt = fields.times["deleted_at"], let id = fields.values["id"] {
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

    private func packLine(
        _ kind: ImportKind, _ eventType: String, _ values: [String: [UInt8]], _ parent: Parent?,
        time: Timestamp, isCounted: Bool, now: Timestamp
    ) throws(RecordRefusal) -> ImportLine {
        let payload = JSONWriter.object(values)
        var identity = [Array("import".utf8), Array(eventType.utf8), payload]
        // Two nested records without an id may say the same and are two.
        if values["id"] == nil, let parent { identity.append(Array(String(parent.index).utf8)) }
        let oldest = RecordTime.monthStart(from: now.advanced(by: .zero - limits.acceptPast))
        // What is of that very time is among those that are moved there.
        let dated = time <= oldest ? DatedIdentity.id(at: time, of: identity) : nil
        var line: [String: [UInt8]] = [
            "id": JSONString.literal("\(dated ?? ContentIdentity.id(of: identity))"),
            "event_type": JSONString.literal(eventType),
            "payload": payload, "created_at": JSONString.literal(max(time, oldest).rfc3339),
        ]
        if let user = values["user_id"], user.first == UInt8(ascii: "\""),
            UniqueID(JSONString.text(of: user[...])) != nil
        {
            line["user_id"] = user
        }
        return try checkedLine(line, kind, isMoved: time < oldest, isCounted: isCounted, now: now)
    }

    // MARK: - Millrace's own formats

    private func event(
        _ members: [JSONScanner.Member], _ kind: ImportKind, fileTime: Timestamp, now: Timestamp
    ) throws(RecordRefusal) -> ImportLine {
        var line = try ownFields(members, kind)
        // An unknown member stays: the daemon's parser refuses it by name.
        let id = line["id"].flatMap { UniqueID(JSONString.text(of: $0[...])) }
        let hasTime = line["created_at"] != nil || id.map { $0.high >> 12 & 15 == 7 } ?? false
        if !hasTime { line["created_at"] = JSONString.literal(fileTime.rfc3339) }
        if line["id"] == nil {
            line["id"] = JSONString.literal(
                "\(ContentIdentity.id(of: [Array("import".utf8), JSONWriter.object(line)]))")
        }
        return try checkedLine(line, kind, isMoved: false, isCounted: true, now: now)
    }

    private func save(
        _ members: [JSONScanner.Member], _ kind: ImportKind, fileTime: Timestamp, now: Timestamp
    ) throws(RecordRefusal) -> ImportLine {
        var line = try ownFields(members, kind)
        if line["status"] == JSONString.literal("active") { line["status"] = nil }
        // What a save has no field for is kept in its metadata.
        let extra = line.filter { !kind.columns.contains($0.key) }
        if !extra.isEmpty {
            var metadata: [String: [UInt8]] = extra
            if let given = line["metadata"] {
                guard given.first == UInt8(ascii: "{") else {
                    throw RecordRefusal("invalid_metadata", "metadata is no object")
                }
                for member in JSONScanner.members(given[...]) {
                    guard metadata[member.name] == nil else {
                        throw RecordRefusal("duplicate_field", "\(member.name) is there twice")
                    }
                    metadata[member.name] = Array(member.value)
                }
            }
            for name in extra.keys { line[name] = nil }
            line["metadata"] = JSONWriter.object(metadata)
        }
        if line["timestamp"] == nil { line["timestamp"] = JSONString.literal(fileTime.rfc3339) }
        return try checkedLine(line, kind, isMoved: false, isCounted: true, now: now)
    }

    /// The fields by the daemon's names; a field that is null is left out.
    private func ownFields(
        _ members: [JSONScanner.Member], _ kind: ImportKind
    ) throws(RecordRefusal) -> [String: [UInt8]] {
        var line: [String: [UInt8]] = [:]
        var seen: Set<String> = []
        for member in members {
            let (name, value) = (member.name, member.value)
            let snake = SnakeCase.from(name)
            let column = kind.aliases[snake] ?? snake
            let key = kind.columns.contains(column) ? column : name
            guard seen.insert(key).inserted else { throw RecordRefusal("duplicate_field", "\(key) is there twice") }
            if JSONScanner.isNull(value) { continue }
            if key == "created_at" || key == "timestamp" {
                guard let time = RecordTime.parse(value) else {
                    throw RecordRefusal("invalid_\(key)", "\(key) is no time such as 2026-01-31T12:00:00Z")
                }
                line[key] = JSONString.literal(time.rfc3339)
            } else {
                var text: [UInt8] = []
                JSONRewriter.append(value, to: &text, droppingSecrets: false)
                line[key] = text
            }
        }
        return line
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

    private func checkedLine(
        _ members: [String: [UInt8]], _ kind: ImportKind, isMoved: Bool, isCounted: Bool, now: Timestamp
    ) throws(RecordRefusal) -> ImportLine {
        var line = JSONWriter.object(members)
        guard line.count <= lineBytesMax else {
            throw RecordRefusal(
                "line_too_long",
                "its event has \(line.count) bytes; at most \(lineBytesMax) (limits.line_bytes) are taken")
        }
        try validate(
            &line, limits: limits, now: now, kind: kind.shape == .conversationSave ? .conversation : .event)
        return ImportLine(kind: kind.name, bytes: line, isMoved: isMoved, isCounted: isCounted)
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
    var bytes: [UInt8]
    /// Its time is not the record's, which the daemon would not take any more.
    var isMoved: Bool
    /// False when the record has another line that counts for it.
    var isCounted: Bool
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
