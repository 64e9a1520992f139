package import MillracePostgres

/// `[archive]`: where the rows of retired months go.
package struct ArchiveConfiguration: Sendable, Equatable {
    /// Holds the archives, or the files until `command` has taken them; empty in config.toml for `archive` under
    /// `data.directory`.
    package var directory = ""
    /// Takes one file somewhere else: a shell's command, in which `%p` is the file and `%f` its name in the archive. Empty:
    /// the archive stays in `directory`.
    package var command = ""
    /// Brings one file back: `%f` to `%p`.
    package var fetchCommand = ""
    /// Of one run of either.
    package var commandTimeout = Duration.seconds(3600)
    /// Tries of either before the month is left as it is, until the next time.
    package var commandTries = 5
    /// Bytes of lines in a file, before compression.
    package var partBytes = 256 << 20
    /// zstd's: 1 ... 19.
    package var level = 6
    /// Of one statement, which may read or write a whole month.
    package var statementTimeout = Duration.seconds(6 * 3600)

    package init() {}
}

/// How long months are kept: `partitions.retain`.
package struct RetentionPolicy: Sendable, Equatable {
    /// After a month's end. Tables that are not in it keep their months.
    package var ages: [PartitionedTable: Duration]

    package init(ages: [PartitionedTable: Duration] = [:]) {
        self.ages = ages
    }

    /// Whether a month of `table` is to be retired at `microseconds` since 1970.
    package func isDue(_ month: PartitionMonth, of table: PartitionedTable, at microseconds: Int64) -> Bool {
        guard let age = ages[table] else { return false }
        return month.upperMicroseconds + age.components.seconds * 1_000_000 <= microseconds
    }
}
