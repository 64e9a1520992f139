internal import MillraceConsole
internal import MillracePostgres
internal import MillraceTelemetry

/// What a run cost, on this machine: the constants of `millrace bench --plan`.
struct SizingMeasure: Encodable, Equatable {
    /// Events of the run that are in the tables.
    var events: Int
    /// Of the run; the sender, the daemon and PostgreSQL shared the machine.
    var rowsPerSecond: Double
    /// Processors that were there for them.
    var cores: Int
    var lineBytes: Double
    /// Processor seconds of the daemon for a million events.
    var daemonSecondsPerMillion: Double
    /// Resident memory of the daemon after the run.
    var daemonMemoryBytes: Int
    /// Of `analytics_events`, for a row.
    var tableBytes: Double
    var indexBytes: Double
    /// Of everything else in the database, for a row: ledger, projections, ids.
    var otherBytes: Double
    /// Write-ahead log, for a row; nil where the server does not tell.
    var walBytes: Double?
}

/// What stands in the database and in the daemon's metrics at one moment.
struct SizingSample: Equatable {
    var tableBytes: Int
    var indexBytes: Int
    var databaseBytes: Int
    var walBytes: Int?
    var processorSeconds: Double
    var residentBytes: Int

    /// Asks both. Throws where one of them does not answer.
    static func take(_ connection: PostgresConnection, _ daemon: Destination) throws -> SizingSample {
        let sizes = try connection.execute(
            """
            SELECT sum(pg_table_size(inhrelid))::bigint, sum(pg_indexes_size(inhrelid))::bigint,
                pg_database_size(current_database())
            FROM pg_catalog.pg_inherits
            WHERE inhparent = 'public.analytics_events'::regclass
            """, timeout: .seconds(60))
        let log = try? connection.execute("SELECT (pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::bigint")
        let answer = try HTTPProbe.get("/metrics", from: daemon, timeout: .seconds(5))
        let metrics = ScrapedMetrics(answer.body)
        guard answer.status == 200, let seconds = metrics.value(.processCPU),
            let resident = metrics.value(.processResidentMemory).flatMap({ Int(exactly: $0) })
        else {
            throw CommandError(
                "\(daemon) does not tell at /metrics what the daemon takes: \(answer.status)",
                hint: "Run --plan beside a daemon of this version, with its configuration, and a key that may read it")
        }
        return SizingSample(
            tableBytes: sizes.int(0, 0) ?? 0, indexBytes: sizes.int(0, 1) ?? 0, databaseBytes: sizes.int(0, 2) ?? 0,
            walBytes: log?.int(0, 0), processorSeconds: seconds, residentBytes: resident)
    }
}

extension SizingMeasure {
    /// `sentBytes`, `rowsPerSecond`: of the measured part; the samples are from before and after the whole run, whose rows
    /// in the tables are `rows`, at least one.
    init(
        from before: SizingSample, to after: SizingSample, rows: Int, rowsPerSecond: Double, lineBytes: Double,
        cores: Int
    ) {
        let count = Double(rows)
        let (table, index) = (after.tableBytes - before.tableBytes, after.indexBytes - before.indexBytes)
        let whole = after.databaseBytes - before.databaseBytes
        self.init(
            events: rows, rowsPerSecond: rowsPerSecond, cores: cores, lineBytes: lineBytes,
            daemonSecondsPerMillion: max(0, after.processorSeconds - before.processorSeconds) / count * 1e6,
            daemonMemoryBytes: after.residentBytes, tableBytes: Double(max(0, table)) / count,
            indexBytes: Double(max(0, index)) / count, otherBytes: Double(max(0, whole - table - index)) / count,
            walBytes: after.walBytes.flatMap { end in before.walBytes.map { Double(max(0, end - $0)) / count } })
    }
}
