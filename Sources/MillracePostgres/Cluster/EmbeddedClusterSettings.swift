/// What an embedded cluster runs with. What is not given at each start stands in postgresql.conf, which later starts leave
/// to the operator.
package struct EmbeddedClusterSettings: Sendable {
    /// False turns fsync off: for tests, whose data nobody wants back.
    package var isDurable: Bool
    package var sharedBuffersMiB: Int
    /// Sessions that there must be room for, those of an operator besides.
    package var sessions: Int
    /// nil: nothing is archived, unless postgresql.conf says so.
    package var archive: WALArchive?

    package init(
        isDurable: Bool = true, sharedBuffersMiB: Int = 256, sessions: Int = 0, archive: WALArchive? = nil
    ) {
        self.archive = archive
        self.isDurable = isDurable
        self.sharedBuffersMiB = sharedBuffersMiB
        self.sessions = sessions
    }

    /// Given at each start, so that a change in config.toml is in force from the next one. `connections`: what
    /// postgresql.conf allows, which is only ever raised. `scripts`: the folder of the archive's.
    func startOptions(connections: Int, scripts: String) -> [String] {
        let wanted = sessions + Self.sessionsOfOthers
        return ["shared_buffers=\(sharedBuffersMiB)MB"] + (wanted > connections ? ["max_connections=\(wanted)"] : [])
            + (archive?.options(scripts: scripts) ?? [])
    }

    private static let sessionsOfOthers = 20

    /// Of half of what there is here: the daemon and the system's cache have the rest.
    private var tuning: ServerTuning {
        ServerTuning(
            memoryBytes: (MemoryGiven.ofThisProcess()?.bytes ?? 2 << 30) / 2, cores: CoresGiven.ofThisProcess().count,
            connections: sessions)
    }

    /// `hasStatements`: the extension pg_stat_statements is installed.
    func text(log: String, hasStatements: Bool) -> String {
        var lines = [
            "",
            "# Millrace. The daemon gives the socket, the port, listen_addresses and shared_buffers itself, and raises",
            "# max_connections where its own settings want more.",
            "max_connections = 60",
        ]
        lines += tuning.embedded.map(\.line)
        lines += [
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
        if hasStatements { lines.append("shared_preload_libraries = 'pg_stat_statements'") }
        if !isDurable {
            lines += ["# Tests.", "fsync = off", "full_page_writes = off", "synchronous_commit = off"]
        }
        return lines.joined(separator: "\n") + "\n"
    }
}
