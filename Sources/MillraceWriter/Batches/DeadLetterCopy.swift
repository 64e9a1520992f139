import MillraceEvent
import MillracePostgres

/// Writes dead letters by binary COPY, inside the batch's transaction.
enum DeadLetterCopy {
    static let columns =
        "spool_id, sequence, lines, kind, tenant_id, code, sqlstate, message, line, received_at, batch_id"

    static func write(
        _ letters: [DeadLetter], batchID: Int64, spool: UniqueID, on connection: PostgresConnection
    ) throws(PostgresError) {
        guard !letters.isEmpty else { return }
        var rows = BinaryRows()
        for letter in letters {
            rows.begin(fields: 11)
            rows.append(spool.bytes)
            rows.append(Int64(letter.sequence))
            rows.append(Int32(clamping: letter.lines))
            rows.append(letter.kind.description)
            rows.append(letter.tenant)
            rows.append(letter.code)
            rows.append(letter.sqlState)
            rows.append(letter.message)
            rows.append(letter.line)
            rows.append(letter.receivedAt)
            rows.append(batchID)
        }
        let bytes = rows.bytes
        _ = try connection.copyIn("COPY public.dead_letters (\(columns)) FROM STDIN (FORMAT binary)") {
            (copy) throws(PostgresError) in try copy.write(bytes)
        }
    }
}

/// Tuples of PostgreSQL's binary COPY format: a count of fields, then each field as its length and its bytes.
struct BinaryRows {
    /// 2000-01-01T00:00:00Z, PostgreSQL's epoch, in microseconds since 1970.
    private static let epochMicroseconds: Int64 = 946_684_800_000_000

    private(set) var bytes: [UInt8] = []

    mutating func begin(fields: Int16) {
        appendBigEndian(fields)
    }

    mutating func append(_ value: [UInt8]) {
        appendBigEndian(Int32(value.count))
        bytes += value
    }

    /// NULL for nil. PostgreSQL's text holds no NUL.
    mutating func append(_ value: String?) {
        guard let value else { return appendBigEndian(Int32(-1)) }
        append(value.utf8.filter { $0 != 0 })
    }

    mutating func append(_ value: some FixedWidthInteger) {
        appendBigEndian(Int32(MemoryLayout.size(ofValue: value)))
        appendBigEndian(value)
    }

    mutating func append(_ value: Timestamp) {
        append(value.microseconds - Self.epochMicroseconds)
    }

    private mutating func appendBigEndian(_ value: some FixedWidthInteger) {
        withUnsafeBytes(of: value.bigEndian) { bytes += $0 }
    }
}
