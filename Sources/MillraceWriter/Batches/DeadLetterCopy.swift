import MillraceEvent
import MillracePostgres

/// Writes dead letters by binary COPY, inside the batch's transaction.
enum DeadLetterCopy {
    static let columns =
        "spool_id, sequence, lines, kind, tenant_id, code, sqlstate, message, line, peer, received_at, batch_id"

    static func write(
        _ letters: [DeadLetter], batchID: Int64, spool: UniqueID, on connection: PostgresConnection
    ) throws(PostgresError) {
        guard !letters.isEmpty else { return }
        var rows = BinaryRows()
        for letter in letters {
            rows.begin(fields: 12)
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
            rows.append(letter.receivedAt)
            rows.append(batchID)
        }
        let bytes = rows.bytes
        _ = try connection.copyIn("COPY public.dead_letters (\(columns)) FROM STDIN (FORMAT binary)") {
            (copy) throws(PostgresError) in try copy.write(bytes)
        }
    }
}
