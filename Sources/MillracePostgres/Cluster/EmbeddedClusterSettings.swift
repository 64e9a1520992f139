/// What a new embedded cluster gets in postgresql.conf. Later starts leave the file to the operator.
package struct EmbeddedClusterSettings: Sendable {
    /// False turns fsync off: for tests, whose data nobody wants back.
    package var isDurable: Bool
    package var sharedBuffersMiB: Int

    package init(isDurable: Bool = true, sharedBuffersMiB: Int = 256) {
        self.isDurable = isDurable
        self.sharedBuffersMiB = sharedBuffersMiB
    }

    func text(log: String) -> String {
        var lines = [
            "",
            "# Millrace. The daemon gives the socket, the port and listen_addresses itself.",
            "max_connections = 60",
            "shared_buffers = '\(sharedBuffersMiB)MB'",
            "maintenance_work_mem = '128MB'",
            "wal_buffers = '16MB'",
            "max_wal_size = '4GB'",
            "checkpoint_timeout = '15min'",
            "random_page_cost = 1.1",
            "jit = off",
            "timezone = 'UTC'",
            "log_timezone = 'UTC'",
            "# A week of logs; statements and DETAIL would put rows into them.",
            "logging_collector = on",
            "log_directory = '\(log.replacing("'", with: "''"))'",
            "log_filename = 'postgresql-%a.log'",
            "log_rotation_age = '1d'",
            "log_rotation_size = 0",
            "log_truncate_on_rotation = on",
            "log_error_verbosity = terse",
            "log_min_error_statement = panic",
        ]
        if !isDurable {
            lines += ["# Tests.", "fsync = off", "full_page_writes = off", "synchronous_commit = off"]
        }
        return lines.joined(separator: "\n") + "\n"
    }
}
