internal import Logging
internal import MillraceAPI
internal import MillraceTelemetry

extension ConfigurationSchema {
    static let data = ConfigurationSection(
        name: "data", doc: "Files of the daemon.",
        keys: [
            .string("directory", \.data.directory, "Holds the spool, and the database of `serve --embedded`.")
        ])

    static let log = ConfigurationSection(
        name: "log", doc: "Lines on standard error.",
        keys: [
            .choice("level", \.log.level, "Least level.").live,
            .choice("format", \.log.format, "For people, or one JSON object a line.").live,
            .bytes(
                "buffer_bytes", \.log.bufferBytes, 64 << 10...1 << 30,
                "Lines that wait for a reader who stalls; when full, new ones are dropped and counted.",
                watch: "millrace_log_lines_dropped_total"),
            .duration(
                "flush_limit", \.log.flushLimit, .zero ... .seconds(60),
                "How long the end of the daemon waits for a reader to take the last lines.",
                watch: "millrace_log_lines_dropped_total"),
        ])

    static let latency = ConfigurationSection(
        name: "latency", doc: "Histograms of every stage; /metrics, /debug/latency and `millrace latency` show them.",
        keys: [
            .string(
                "log", \.latency.log,
                "A file (in data.directory) for HdrHistogram logs, an interval of every stage at a time; \"\" is none.",
                watch: "millrace_pipeline_received_to_committed_seconds"),
            .duration(
                "log_interval", \.latency.logInterval, .seconds(1) ... .seconds(86_400), "Length of an interval.",
                watch: "millrace_pipeline_received_to_committed_seconds"),
            .bytes(
                "log_bytes_max", \.latency.logBytesMax, 64 << 10...1 << 40,
                "The file is rotated before it grows beyond: to log.1, which becomes log.2, and so on."),
            .integer(
                "recordings_max", \.routes.recordingsMax, 1...1000, unit: "recordings",
                "Requests for /debug/latency?seconds=… that run at the same time; one more gets 503.",
                watch: "millrace_memory_used_bytes"
            ).live,
            .integer(
                "log_files", \.latency.logFiles, 1...1000, unit: "files", "Rotated files that are kept."),
        ])

    static let metrics = ConfigurationSection(
        name: "metrics", doc: "/metrics.",
        keys: [
            .integer(
                "tenants_max", \.metrics.tenantsMax, 1...10_000, unit: "tenants",
                "Tenants that are counted each by itself, the first that come; the others are counted as other.",
                watch: "millrace_tenant_lines_accepted_total")
        ])

    static let embedded = ConfigurationSection(
        name: "embedded", doc: "The private PostgreSQL of `serve --embedded`.",
        keys: [
            .bytes(
                "shared_buffers", \.embedded.sharedBuffers, 16 << 20...1 << 40,
                "PostgreSQL's own cache, whatever its postgresql.conf says; in force from its next start.",
                watch: "millrace_writer_copy_duration_seconds"),
            .duration(
                "start_timeout", \.embedded.startTimeout, .seconds(1) ... .seconds(3600),
                "How long its start may take, recovery after a crash included.", watch: "millrace_postgresql_up"),
            .duration(
                "stop_timeout", \.embedded.stopTimeout, .seconds(1) ... .seconds(600),
                "How long its stop may take.", watch: "millrace_postgresql_up"),
        ])
}
