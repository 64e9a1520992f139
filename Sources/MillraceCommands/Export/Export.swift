internal import MillraceEvent
internal import MillracePostgres
internal import MillraceProjections

/// Reads rows in the order of (created_at, id) and writes them as lines, in memory of one row and what is not written.
struct Export {
    /// How far it is.
    struct Progress {
        var rows = 0
        /// 0 ... 1, by the time of the row.
        var fraction = 0.0
    }

    let connection: PostgresConnection
    let from: Timestamp
    /// The first instant that is not exported any more.
    let to: Timestamp
    let tenant: Int32
    let timeout: Duration

    private static let pieceBytes = 64 * 1024

    /// Both tables as they are at one time. Blocks until it is done.
    func run(
        _ tables: [PartitionedTable], into file: ExportFile, _ progress: (Progress) -> Void
    ) throws -> ExportCounts {
        var counts = ExportCounts()
        try connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        for (index, table) in tables.enumerated() {
            let share = 1 / Double(tables.count)
            try copy(table, into: file, &counts) { fraction, counts in
                progress(Progress(rows: counts.rows, fraction: (Double(index) + fraction) * share))
            }
        }
        try connection.execute("COMMIT")
        return counts
    }

    private func copy(
        _ table: PartitionedTable, into file: ExportFile, _ counts: inout ExportCounts,
        _ progress: (Double, ExportCounts) -> Void
    ) throws {
        let range =
            "tenant_id = \(tenant) AND created_at >= '\(from.rfc3339)' AND created_at < '\(to.rfc3339)'"
        // Where the rows begin and end, for the bar.
        let ends = try connection.execute(
            """
            SELECT (extract(epoch FROM min(created_at)) * 1000000)::bigint,
                   (extract(epoch FROM max(created_at)) * 1000000)::bigint
            FROM public.\(table.rawValue) WHERE \(range)
            """, timeout: timeout)
        guard let first = ends.int(0, 0), let last = ends.int(0, 1) else { return }
        var piece: [UInt8] = []
        var failure: CommandError?
        var sums = counts
        try connection.copyOut(
            """
            COPY (
                SELECT \(ExportRow.columns(of: table)) FROM public.\(table.rawValue)
                WHERE \(range) ORDER BY created_at, id
            ) TO STDOUT WITH (FORMAT binary)
            """, timeout: timeout
        ) { row in
            do throws(CommandError) {
                let (createdAt, outcome) = try ExportRow.append(row, of: table, to: &piece)
                switch (table, outcome) {
                case (_, .unread(let id)): sums.unread.append(id)
                case (_, .inactive): sums.inactive += 1
                case (.analyticsEvents, .written): sums.events += 1
                case (.conversations, .written): sums.conversations += 1
                }
                guard piece.count >= Self.pieceBytes else { return true }
                try file.write(piece)
                piece.removeAll(keepingCapacity: true)
                progress(Double(Int(createdAt.microseconds) - first) / Double(max(1, last - first)), sums)
                return true
            } catch {
                failure = error
                return false
            }
        }
        if let failure { throw failure }
        try file.write(piece)
        counts = sums
    }
}
