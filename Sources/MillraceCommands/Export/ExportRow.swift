internal import MillraceConsole
internal import MillraceEvent
internal import MillraceJSON
internal import MillracePostgres

/// A row as the line that the daemon makes the same row of.
enum ExportRow {
    /// Payloads that are longer would not be taken again by a daemon with the default limits, so numbers in them are
    /// written as short as they can be.
    private static let plainPayloadBytesMax = 128 * 1024
    private static let plainNumberBytesMax = 64

    /// What became of a row.
    enum Outcome: Equatable {
        case written
        /// A conversation that is not active has no line.
        case inactive
        /// Too large to be read.
        case unread(UniqueID)
    }

    /// Columns of the COPY, in the order in which `append` reads them.
    static func columns(of table: PartitionedTable) -> String {
        switch table {
        case .analyticsEvents: "id, event_type, user_id, \(PrintedSize.guarded("payload")), created_at"
        case .conversations:
            "conversation_id, user_id, question, response, source, \(PrintedSize.guarded("metadata")), status, id, "
                + "created_at"
        }
    }

    /// Appends the line of a binary COPY row to `out`, its `\n` too.
    /// - Returns: when it was created, and whether it was appended.
    static func append(
        _ row: UnsafeRawBufferPointer, of table: PartitionedTable, to out: inout [UInt8]
    ) throws(CommandError) -> (createdAt: Timestamp, outcome: Outcome) {
        let fields = try Self.fields(row, count: table == .analyticsEvents ? 5 : 9)
        guard let last = fields.last, let time = last, time.count == 8 else { throw Self.foreign }
        let sinceEpoch = Int64(bigEndian: time.loadUnaligned(as: Int64.self))
        // PostgreSQL's infinity and -infinity are the ends of the range.
        let (microseconds, isEndless) = sinceEpoch.addingReportingOverflow(Timestamp.postgresEpoch)
        let createdAt = Timestamp(microseconds: isEndless || sinceEpoch == .min ? sinceEpoch : microseconds)
        let timeText =
            switch sinceEpoch {
            case .max: "infinity"
            case .min: "-infinity"
            default: createdAt.rfc3339
            }
        let (document, id) = table == .analyticsEvents ? (3, 0) : (5, 7)
        guard fields[document] != nil else { return (createdAt, .unread(try Self.id(fields[id]))) }
        switch table {
        case .analyticsEvents:
            out += Array("{\"id\":".utf8)
            try appendID(fields[0], to: &out)
            out += Array(",\"event_type\":".utf8)
            try appendText(fields[1], to: &out)
            if fields[2] != nil {
                out += Array(",\"user_id\":".utf8)
                try appendID(fields[2], to: &out)
            }
            out += Array(",\"payload\":".utf8)
            try appendJSON(fields[3], to: &out)
            out += Array(",\"created_at\":".utf8)
        case .conversations:
            guard let status = fields[6] else { throw Self.foreign }
            guard status.elementsEqual("active".utf8) else { return (createdAt, .inactive) }
            out += Array("{\"conversation_id\":".utf8)
            try appendText(fields[0], to: &out)
            out += Array(",\"user_id\":".utf8)
            try appendID(fields[1], to: &out)
            out += Array(",\"question\":".utf8)
            try appendText(fields[2], to: &out)
            out += Array(",\"response\":".utf8)
            try appendText(fields[3], to: &out)
            out += Array(",\"source\":".utf8)
            try appendText(fields[4], to: &out)
            out += Array(",\"metadata\":".utf8)
            try appendJSON(fields[5], to: &out)
            out += Array(",\"timestamp\":".utf8)
        }
        JSONString.append(timeText, to: &out)
        out += Array("}\n".utf8)
        return (createdAt, .written)
    }

    /// An int16 count, then for each an int32 length (-1 = NULL) and the value, big endian.
    private static func fields(
        _ row: UnsafeRawBufferPointer, count: Int
    ) throws(CommandError) -> [UnsafeRawBufferPointer?] {
        guard row.count >= 2, Int(Int16(bigEndian: row.loadUnaligned(as: Int16.self))) == count else { throw foreign }
        var fields: [UnsafeRawBufferPointer?] = []
        var offset = 2
        for _ in 0..<count {
            guard row.count - offset >= 4 else { throw foreign }
            let length = Int(Int32(bigEndian: row.loadUnaligned(fromByteOffset: offset, as: Int32.self)))
            offset += 4
            guard length >= 0 else {
                fields.append(nil)
                continue
            }
            guard row.count - offset >= length else { throw foreign }
            fields.append(UnsafeRawBufferPointer(rebasing: row[offset..<offset + length]))
            offset += length
        }
        return fields
    }

    private static func id(_ field: UnsafeRawBufferPointer?) throws(CommandError) -> UniqueID {
        guard let field, let id = UniqueID(bytes: field) else { throw foreign }
        return id
    }

    private static func appendID(_ field: UnsafeRawBufferPointer?, to out: inout [UInt8]) throws(CommandError) {
        JSONString.append("\(try id(field))", to: &out)
    }

    private static func appendText(_ field: UnsafeRawBufferPointer?, to out: inout [UInt8]) throws(CommandError) {
        guard let field else { throw foreign }
        JSONString.append(field, to: &out)
    }

    /// jsonb: its version, 1, and the text.
    private static func appendJSON(_ field: UnsafeRawBufferPointer?, to out: inout [UInt8]) throws(CommandError) {
        guard let field, field.first == 1 else { throw foreign }
        let text = Array(field.dropFirst())[...]
        let start = out.count
        JSONRewriter.append(text, to: &out, droppingSecrets: false, plainNumberBytesMax: plainNumberBytesMax)
        guard out.count - start > plainPayloadBytesMax else { return }
        out.removeSubrange(start...)
        JSONRewriter.append(text, to: &out, droppingSecrets: false, plainNumberBytesMax: 0)
    }

    private static let foreign = CommandError(
        "the database sent a row that is not as the schema says", hint: "Run `millrace migrate status`")
}
