extension ConfigurationSchema {
    static let deadLetters = ConfigurationSection(
        name: "dead_letters",
        doc: "How much is kept of lines that the intake refused; what was acknowledged is never dropped.",
        keys: [
            .duration(
                "retain", \.deadLetters.retain, .seconds(1) ... .seconds(1200 * 31 * 86_400),
                "How old such a letter becomes before it is deleted and counted.",
                watch: "millrace_writer_dead_letters_dropped_total"),
            .integer(
                "rows_max", \.deadLetters.rowsMax, 0...1_000_000_000, unit: "letters",
                "All such letters; the oldest go.", watch: "millrace_writer_dead_letters_dropped_total"),
            .bytes(
                "bytes_max", \.deadLetters.bytesMax, 0...1 << 40,
                "Their lines and messages together; a row and its indexes are some 300 bytes more.",
                watch: "millrace_writer_dead_letters_dropped_total"),
            .integer(
                "burst_lines", \.deadLetters.burstLines, 0...1_000_000_000, unit: "lines",
                "Refused lines of one connection that are all kept, in a burst_interval.",
                watch: "millrace_intake_lines_not_kept_total"),
            .duration(
                "burst_interval", \.deadLetters.burstInterval, .seconds(1) ... .seconds(86_400),
                "After it a connection's burst_lines are kept whole again.",
                watch: "millrace_intake_lines_not_kept_total"),
            .integer(
                "sampled_one_in", \.deadLetters.sampledOneIn, 1...1_000_000_000, unit: "lines",
                "Of the further ones one in so many is kept; all are counted.",
                watch: "millrace_intake_lines_not_kept_total"),
        ])
}
