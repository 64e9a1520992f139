internal import MillraceEvent
internal import MillraceJSON

/// Records in Millrace's own formats: events and conversation saves.
extension RecordTranslator {
    func event(
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

    /// A save, and an event of its status where it says one: another export may say another one.
    func save(
        _ members: [JSONScanner.Member], _ kind: ImportKind, fileTime: Timestamp, now: Timestamp
    ) throws(RecordRefusal) -> [ImportLine] {
        var status = SaveStatus()
        var others: [JSONScanner.Member] = []
        for member in members {
            let snake = SnakeCase.from(member.name)
            let isKept = kind.columns.contains(snake) ? nil : try status.take(snake, member.value)
            if isKept ?? true { others.append(member) }
        }
        var line = try ownFields(others, kind)
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
        let saved = try checkedLine(line, kind, isMoved: false, isCounted: true, now: now)
        guard status.isSaid, let event = try statusEvent(status, of: line, kind, fileTime: fileTime, now: now) else {
            return [saved]
        }
        return [saved, event]
    }

    private func statusEvent(
        _ status: SaveStatus, of save: [String: [UInt8]], _ kind: ImportKind, fileTime: Timestamp, now: Timestamp
    ) throws(RecordRefusal) -> ImportLine? {
        guard let conversation = save["conversation_id"], let question = save["question"],
            let savedAt = save["timestamp"].flatMap({ RecordTime.parse($0[...]) })
        else { return nil }
        let id = rowID(
            of: ConversationSave(
                conversationID: JSONString.text(of: conversation[...]), userID: UniqueID(high: 0, low: 0),
                question: JSONString.text(of: question[...]), response: "", source: "", metadata: "{}",
                createdAt: savedAt))
        var payload = ["conversation_id": conversation, "id": JSONString.literal("\(id)")]
        let isDeleted = status.status == "deleted"
        if !isDeleted { payload["status"] = JSONString.literal(status.status) }
        return try packLine(
            kind, "conversations." + (isDeleted ? "save_deleted" : "save_status_changed"), payload, nil,
            time: status.time(savedAt: savedAt, fileTime: fileTime), isCounted: false, now: now)
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
}
