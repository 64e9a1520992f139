internal import MillraceBackup

extension ConfigurationSchema {
    static let backup = ConfigurationSection(
        name: "backup", doc: "`millrace backup` and `millrace restore`.",
        keys: [
            .string(
                "directory", \.backup.directory,
                "Best on another disk; \"\" is backups under data.directory.",
                watch: "millrace_backup_last_timestamp_seconds"),
            .secret(
                "url", \.backup.url, .connectionString,
                "Of a login that may read, or make, every table, such as millrace_migrator of sql/roles.sql; \"\" is database.url."
            ),
            .integer(
                "jobs", \.backup.jobs, 1...64, unit: "sessions", "Tables that are dumped or restored at the same time."),
            .integer(
                "compression", \.backup.compression, 0...9, unit: "gzip's level", "0 leaves the tables as they are.",
                watch: "millrace_backup_last_bytes"),
            .integer(
                "keep", \.backup.keep, 1...10_000, unit: "backups",
                "Newest ones of each kind that are kept; older ones go when one was made.",
                watch: "millrace_backups"),
            .duration(
                "keep_age", \.backup.keepAge, .zero ... .seconds(1200 * 31 * 86_400),
                "Older ones go too, the newest of a kind never; 0s keeps them.", watch: "millrace_backups"),
            .duration(
                "age_max", \.backup.ageMax, .zero ... .seconds(366 * 86_400),
                "Age of the newest one from which on `millrace check` warns; 0s never does.",
                watch: "millrace_backup_last_timestamp_seconds"),
            .bool(
                "wal", \.backup.wal,
                "The embedded database archives its log in wal below the directory, for restore --to; from its next start.",
                watch: "millrace_backup_wal_last_timestamp_seconds"),
            .duration(
                "wal_timeout", \.backup.walTimeout, .seconds(1) ... .seconds(86_400),
                "How much of the log is on the database's disk alone, at most, in a quiet time.",
                watch: "millrace_backup_wal_last_timestamp_seconds"),
        ])
}
