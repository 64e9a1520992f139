internal import MillraceChannels
import MillraceEvent
import MillracePostgres

/// A row for `dead_letters`: a line that will not become a row.
struct DeadLetter {
    /// First of the `lines` sequences it stands for.
    var sequence: UInt64
    var kind: RecordKind
    var tenant: Int32
    /// A `RefusalCode`, or one of the codes below.
    var code: String
    /// PostgreSQL's, when the database refused the row.
    var sqlState: String?
    /// The constraint that refused the row; the table has it in the message.
    var constraint: String?
    var message: String
    /// The line; nil when its bytes are lost.
    var line: String?
    var receivedAt: Timestamp
    /// Who sent a line that the intake refused: an address, or the outbox.
    var peer: String?
    /// A rule set it aside; its sender was told that it is accepted.
    var isQuarantined = false
    /// 1, or more when a damaged stretch of the spool lost several.
    var lines = 1

    /// The database refused the row.
    static let databaseCode = "database"
    /// The month was detached (`partitions.retired`), is retired, or restored to be read.
    static let monthRetiredCode = "month_retired"
    /// The line was received under a clock that was so wrong that its month is not made.
    static let monthUnacceptableCode = "month_unacceptable"
    /// The line was written over when its user was erased; an older ledger wants it once more.
    static let erasedCode = "erased"
    /// The spool's bytes were damaged or missing.
    static let spoolDamageCode = "spool_damage"
}

extension DeadLetter {
    /// One letter for all lines of a stretch that can't be read back. Where their kind went with their bytes, they count
    /// as events, of tenant 0.
    init(_ lost: LostSequences, kind: RecordKind, tenant: Int32 = 0) {
        self.init(
            sequence: lost.sequences.lowerBound, kind: kind, tenant: tenant, code: Self.spoolDamageCode,
            message: lost.reason, line: nil, receivedAt: .now, lines: lost.sequences.count
        )
    }
}

/// Writes dead letters by binary COPY, inside the batch's transaction.
enum DeadLetterCopy {
    static let columns =
        "spool_id, sequence, lines, kind, tenant_id, code, sqlstate, message, line, peer, quarantined, received_at, batch_id"

    static func write(
        _ letters: [DeadLetter], batchID: Int64, spool: UniqueID, on connection: PostgresConnection
    ) throws(PostgresError) {
        guard !letters.isEmpty else { return }
        var rows = BinaryRows()
        for letter in letters {
            rows.begin(fields: 13)
            rows.append(spool.bytes)
            rows.append(Int64(letter.sequence))
            rows.append(Int32(clamping: letter.lines))
            rows.append(letter.kind.description)
            rows.append(letter.tenant)
            rows.append(letter.code)
            rows.append(letter.sqlState)
            rows.append(letter.message)
            rows.append(letter.line)
            rows.append(letter.peer)
            rows.append([letter.isQuarantined ? 1 : 0])
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
        append(value.microseconds - Timestamp.postgresEpoch)
    }

    private mutating func appendBigEndian(_ value: some FixedWidthInteger) {
        withUnsafeBytes(of: value.bigEndian) { bytes += $0 }
    }
}
