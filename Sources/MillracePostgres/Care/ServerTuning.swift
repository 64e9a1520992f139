/// What postgresql.conf should say on a machine of this size, for a server that Millrace writes into: much is written, in
/// large transactions, and read by index.
package struct ServerTuning: Sendable, Equatable {
    /// A line of postgresql.conf.
    package struct Setting: Sendable, Equatable {
        package var name: String
        /// As postgresql.conf writes it, without quotes.
        package var value: String
        package var reason: String

        /// `name = 'value'`.
        package var line: String { "\(name) = '\(value)'" }
    }

    /// What the server may use: the machine's memory, or its cgroup's.
    package var memoryBytes: Int
    package var cores: Int
    /// Sessions that Millrace and others open.
    package var connections: Int

    /// `memoryBytes` and `cores` are above zero.
    package init(memoryBytes: Int, cores: Int, connections: Int) {
        self.memoryBytes = memoryBytes
        self.cores = cores
        self.connections = connections
    }

    private var mebibytes: Int { memoryBytes >> 20 }

    /// In the order of postgresql.conf. The daemon of `serve --embedded` gives `shared_buffers` and `max_connections` itself.
    package var settings: [Setting] { memory + log + planner + workers + watching }

    /// Without what `serve --embedded` gives at each start.
    package var embedded: [Setting] {
        settings.filter { !["shared_buffers", "max_connections", "shared_preload_libraries"].contains($0.name) }
    }

    private var memory: [Setting] {
        [
            Setting(
                name: "max_connections", value: "\(max(60, connections + 40))",
                reason: "\(connections) sessions of Millrace, and yours"),
            Setting(
                name: "shared_buffers", value: Self.size(mebibytes / 4, 64...16_384),
                reason: "a quarter of \(mebibytes) MiB: the indexes of the month that is written"),
            Setting(
                name: "effective_cache_size", value: Self.size(mebibytes * 7 / 10, 128...1_048_576),
                reason: "what the system's cache will hold, so that indexes are used"),
            Setting(
                name: "maintenance_work_mem", value: Self.size(mebibytes / 32, 128...2048),
                reason: "builds of indexes, vacuums of large months"),
            Setting(
                name: "autovacuum_work_mem", value: Self.size(mebibytes / 64, 32...512),
                reason: "several workers have it each"),
            Setting(
                name: "work_mem", value: Self.size(mebibytes / 8 / max(60, connections), 4...64),
                reason: "sorts and hashes of a query, several at a time"),
        ]
    }

    private var log: [Setting] {
        [
            Setting(name: "wal_buffers", value: "16MB", reason: "one segment; batches write megabytes"),
            Setting(
                name: "max_wal_size", value: Self.size(mebibytes / 2, 4096...32_768),
                reason:
                    "each checkpoint makes the next change of every page a whole page of the log; keep as much disk free"
            ),
            Setting(
                name: "checkpoint_timeout", value: "15min", reason: "the same; recovery after a crash takes longer"),
            Setting(name: "checkpoint_completion_target", value: "0.9", reason: "spreads the writes"),
        ]
    }

    private var planner: [Setting] {
        [
            Setting(name: "random_page_cost", value: "1.1", reason: "SSD; 4 for rotating disks"),
            Setting(name: "effective_io_concurrency", value: "200", reason: "SSD; 2 for rotating disks"),
            Setting(name: "jit", value: "off", reason: "compiling takes longer than the short queries of the read API"),
        ]
    }

    private var workers: [Setting] {
        [
            Setting(name: "max_worker_processes", value: "\(max(8, cores))", reason: "\(cores) cores"),
            Setting(name: "max_parallel_workers", value: "\(max(2, cores))", reason: "\(cores) cores"),
            Setting(
                name: "max_parallel_workers_per_gather", value: "\(min(4, cores / 2))",
                reason: "half of the cores are for who writes"),
            Setting(
                name: "max_parallel_maintenance_workers", value: "\(min(4, max(1, cores / 2)))",
                reason: "builds of indexes"),
            Setting(
                name: "autovacuum_max_workers", value: "\(min(6, max(3, cores / 2)))",
                reason: "months, ledger and projections want it at the same time"),
            Setting(
                name: "autovacuum_vacuum_cost_limit", value: "2000",
                reason: "the default of 200 does not keep up with a month that grows"),
        ]
    }

    private var watching: [Setting] {
        [
            Setting(
                name: "shared_preload_libraries", value: "pg_stat_statements",
                reason:
                    "`millrace status --database` tells slow queries by it; add it to what stands there, then CREATE EXTENSION pg_stat_statements"
            ),
            Setting(name: "track_io_timing", value: "on", reason: "what waits for the disk"),
            Setting(name: "log_lock_waits", value: "on", reason: "who waited for whom, for more than a second"),
        ]
    }

    /// postgresql.conf's text of them.
    package static func text(_ settings: [Setting]) -> String {
        settings.map { "# \($0.reason)\n\($0.line)\n" }.joined()
    }

    private static func size(_ mebibytes: Int, _ range: ClosedRange<Int>) -> String {
        "\(min(range.upperBound, max(range.lowerBound, mebibytes)))MB"
    }
}
