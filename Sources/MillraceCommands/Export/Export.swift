internal import MillraceConsole
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

/// Rows exported.
struct ExportCounts: Equatable {
    var events = 0
    var conversations = 0
    /// Conversations left out because their status is not active, which a save can't say.
    var inactive = 0
    /// Left out because they are too large to read.
    var unread = UnreadRows()

    var rows: Int { events + conversations }
}

/// What an `export` wrote.
struct ExportReport: Encodable {
    /// nil for standard output.
    var file: String?
    /// Inclusive.
    var from: String
    /// Exclusive.
    var to: String
    var events: Int
    var conversations: Int
    /// Left out.
    var inactiveConversations: Int
    /// Left out: too large to read.
    var rowsUnread: Int
    /// Ids of some of them.
    var unread: [String]
    var total: Int
    /// Before compression.
    var bytes: Int
    var writtenBytes: Int
    var seconds: Double

    /// For people.
    var text: String {
        let rate = seconds > 0 ? Int(Double(total) / seconds) : 0
        var lines = [
            "exported: events \(Format.count(events)), conversations \(Format.count(conversations)), "
                + "total \(Format.count(total)) in \(Format.duration(.seconds(seconds))) (\(Format.count(rate)) rows/s)",
            "\(file ?? "standard output"): \(Format.bytes(writtenBytes)) (\(Format.bytes(bytes)) of NDJSON)",
        ]
        if inactiveConversations > 0 {
            lines.append("\(Format.count(inactiveConversations)) conversations that are not active were left out")
        }
        if rowsUnread > 0 {
            lines.append(
                "\(Format.count(rowsUnread)) rows are too large to read and were left out: "
                    + "\(unread.joined(separator: ", ")); their numbers are more than "
                    + "\(PrintedSize.bytesMax >> 20) MiB when printed: shorten or delete them")
        }
        return lines.joined(separator: "\n")
    }
}
