internal import MillraceArchive

extension ConfigurationSchema {
    static let archive = ConfigurationSection(
        name: "archive",
        doc: "Where the rows of retired months go: NDJSON by month, compressed by zstd, with a manifest.",
        keys: [
            .string(
                "directory", \.archive.directory, "Holds the archives; \"\" is archive under data.directory.",
                watch: "millrace_archive_bytes_written_total"),
            .string(
                "command", \.archive.command,
                "Takes a file somewhere else, such as \"aws s3 cp %p s3://bucket/%f\": %p is the file, %f its name; \"\" leaves it.",
                watch: "millrace_partitions_retirement_failures_total"),
            .string(
                "fetch_command", \.archive.fetchCommand,
                "Brings it back: \"aws s3 cp s3://bucket/%f %p\". Wanted with command, to verify what was taken.",
                watch: "millrace_partitions_retirement_failures_total"),
            .duration(
                "command_timeout", \.archive.commandTimeout, .seconds(1) ... .seconds(86_400),
                "How long one run of either may take.", watch: "millrace_partitions_retirement_failures_total"),
            .integer(
                "command_tries", \.archive.commandTries, 1...100, unit: "tries",
                "Runs of either, with pauses, before the month waits for the next time.",
                watch: "millrace_partitions_retirement_failures_total"),
            .bytes(
                "part_bytes", \.archive.partBytes, 64 << 10...64 << 30, "Size of one file, before compression.",
                watch: "millrace_archive_bytes_written_total"),
            .integer(
                "level", \.archive.level, 1...19, "zstd's level: higher is smaller and slower.",
                watch: "millrace_archive_bytes_written_total"),
            .duration(
                "statement_timeout", \.archive.statementTimeout, .seconds(60) ... .seconds(7 * 86_400),
                "How long one statement may take, which may read or write a whole month.",
                watch: "millrace_partitions_retirement_failures_total"),
        ])
}
