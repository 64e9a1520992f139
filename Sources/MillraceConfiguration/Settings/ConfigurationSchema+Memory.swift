extension ConfigurationSchema {
    static let memory = ConfigurationSection(
        name: "memory", doc: "What clients may have the daemon hold.",
        keys: [
            .bytes(
                "budget", \.memory.budget, 4 << 20...1 << 40,
                "Lines and bodies that are not whole, pages in the making, answers that nobody takes, all together; above, "
                    + "sockets are not read, and requests that want more get 503.",
                watch: "millrace_memory_used_bytes"),
            .duration(
                "line_wait", \.memory.lineWait, .milliseconds(100) ... .seconds(3600),
                "How long a TCP line of over 16 KiB may take while others want memory, before its connection is closed.",
                watch: "millrace_memory_refused_total"),
        ])
}
