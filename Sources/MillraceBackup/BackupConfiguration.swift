package import MillracePostgres

/// `[backup]`: where backups lie, and how long.
package struct BackupConfiguration: Sendable, Equatable {
    /// Empty in config.toml for `backups` under `data.directory`.
    package var directory: String
    /// Of a role that may read every table; empty for `database.url`.
    package var url = Secret("")
    /// Tables dumped or restored at the same time, each by a session of its own.
    package var jobs = 2
    /// gzip's, 0 ... 9.
    package var compression = 1
    /// Newest backups of each kind that are kept.
    package var keep = 7
    /// Older ones go, the newest never; zero keeps them.
    package var keepAge = Duration.seconds(30 * 86_400)
    /// Age of the newest backup from which on `check` warns; zero never does.
    package var ageMax = Duration.seconds(26 * 3600)
    /// Whether the embedded database archives its log, which `restore --to` reads.
    package var wal = false
    /// After this time the embedded database archives a segment of its log that is not full.
    package var walTimeout = Duration.seconds(60)

    package init(directory: String = "") {
        self.directory = directory
    }

    /// Where the embedded database's log goes.
    package var walDirectory: String { directory + "/wal" }
}
