internal import MillraceTOML

/// Every section and key, in the order of config.toml: the only place that says what a key means.
enum ConfigurationSchema {
    static let sections = [
        data, tcp, http, intake, memory, limits, deadLetters, spool, database, partitions, projections, dedup, outbox,
        api, identity, jwt,
        log, latency, embedded,
    ]

    /// Variables that other programs use too, and the keys they stand for. `MILLRACE_…` wins over them.
    static let environmentAliases = [
        ("DATABASE_URL", "database.url"), ("STRICT_HEALTH_CHECKS", "http.strict_health_checks"),
    ]

    static func section(_ name: String) -> ConfigurationSection? { sections.first { $0.name == name } }

    /// `fullName`: `section.key`.
    static func key(_ fullName: String) -> ConfigurationKey? {
        for section in sections {
            if let key = section.keys.first(where: { section.fullName(of: $0) == fullName }) { return key }
        }
        return nil
    }

    /// The known key that someone probably meant, as `section.key`. The same key in another section counts as one letter.
    static func nearestKey(to name: String, in sectionName: String) -> String {
        var best = (name: "", distance: Int.max)
        for section in sections {
            for key in section.keys {
                let distance =
                    section.name == sectionName
                    ? EditDistance.between(name, key.name)
                    : min(
                        EditDistance.between("\(sectionName).\(name)", section.fullName(of: key)),
                        name == key.name ? 1 : Int.max)
                if distance < best.distance { best = (section.fullName(of: key), distance) }
            }
        }
        return best.name
    }

    private static let data = ConfigurationSection(
        name: "data", doc: "Files of the daemon.",
        keys: [
            .string("directory", \.data.directory, "Holds the spool, and the database of `serve --embedded`.")
        ])

    private static let tcp = ConfigurationSection(
        name: "tcp", doc: "Intake of lines over TCP.",
        keys: [
            .list(
                "listen", \.tcp.listen,
                "Addresses: host:port, [v6]:port or unix:/path; loopback or Unix sockets only, until keys are configured.",
                watch: "millrace_intake_connections_open"),
            .integer(
                "backlog", \.tcp.backlog, 1...65_535, unit: "connections",
                "Connections that the kernel keeps waiting for `accept`; its own limit is net.core.somaxconn.",
                watch: "millrace_intake_connections_accepted_total"),
            .integer(
                "connections_max", \.tcp.connectionsMax, 1...1_000_000, unit: "connections",
                "Open connections; one more is told so and closed.",
                watch: "millrace_intake_connections_refused_total"),
            .duration(
                "idle_timeout", \.tcp.idleTimeout, .zero ... .seconds(7 * 86_400),
                "How long nothing may come before a connection that waits for no ack is closed; 0s is for ever.",
                watch: "millrace_intake_connections_open"),
            .bytes(
                "inflight_bytes_max", \.tcp.inflightBytesMax, 64 << 10...256 << 20,
                "Bytes of one connection that wait to become durable before it is read no further.",
                watch: "millrace_spool_queue_bytes"),
            .integer(
                "refused_lines_max", \.tcp.refusedLinesMax, 1...1_000_000_000, unit: "lines",
                "Refused lines beyond the accepted ones before a connection is told so and closed: no Millrace client.",
                watch: "millrace_intake_connections_closed_total"),
            .duration(
                "retry_interval", \.tcp.retryInterval, .milliseconds(10) ... .seconds(60),
                "How often lines that a full spool refused are offered again.", watch: "millrace_spool_refused_total"),
        ])

    private static let http = ConfigurationSection(
        name: "http", doc: "Intake and every other route over HTTP/1.1.",
        keys: [
            .list(
                "listen", \.http.listen,
                "Addresses: host:port, [v6]:port or unix:/path; loopback or Unix sockets only, until keys are configured.",
                watch: "millrace_intake_connections_open"),
            .list(
                "hosts", \.http.hosts,
                "Names in Host that are this daemon's, besides loopback's and listen's: those of a proxy in front of it.",
                watch: "millrace_http_requests_total"),
            .integer(
                "backlog", \.http.backlog, 1...65_535, unit: "connections",
                "Connections that the kernel keeps waiting for `accept`; its own limit is net.core.somaxconn.",
                watch: "millrace_intake_connections_accepted_total"),
            .integer(
                "connections_max", \.http.connectionsMax, 2...1_000_000, unit: "connections",
                "Open connections, the reserved ones included; one more gets 503 and is closed.",
                watch: "millrace_intake_connections_refused_total"),
            .integer(
                "reserved_connections", \.http.reservedConnections, 1...1000, unit: "connections",
                "The last of connections_max answer only /livez, /readyz and /metrics.",
                watch: "millrace_intake_connections_open"),
            .duration(
                "crowded_wait", \.http.crowdedWait, .milliseconds(100) ... .seconds(60),
                "How long a connection may say nothing once only reserved_connections are left; noticed within twice that.",
                watch: "millrace_intake_connections_open"),
            .duration(
                "header_timeout", \.http.headerTimeout, .milliseconds(100) ... .seconds(600),
                "From a request's first byte to the end of its headers; absolute.",
                watch: "millrace_http_requests_total"
            ),
            .bytes(
                "header_bytes", \.http.headerBytes, 1 << 10...1 << 20, "All header fields of a request together.",
                watch: "millrace_http_requests_total"),
            .integer(
                "header_fields", \.http.headerFields, 10...10_000, unit: "fields", "Header fields of a request.",
                watch: "millrace_http_requests_total"),
            .bytes(
                "body_rate_min", \.http.bodyRateMin, 0...1 << 30, unit: "bytes a second",
                "Slowest body, over body_rate_interval; time in which the daemon itself did not read doesn't count.",
                watch: "millrace_http_requests_total"),
            .duration(
                "body_rate_interval", \.http.bodyRateInterval, .seconds(1) ... .seconds(600),
                "Over what time body_rate_min is measured.", watch: "millrace_http_requests_total"),
            .duration(
                "keep_alive", \.http.keepAlive, .zero ... .seconds(3600),
                "From when an answer is sent to the next request, before the connection is closed.",
                watch: "millrace_intake_connections_open"),
            .duration(
                "write_timeout", \.http.writeTimeout, .milliseconds(100) ... .seconds(3600),
                "How long a client may take none of its answer; one that takes some is never cut off.",
                watch: "millrace_intake_connections_open"),
            .bytes(
                "request_body_max", \.http.requestBodyMax, 1 << 10...64 << 20,
                "Body of a route that is not streamed; /v1/events is, and takes any size.",
                watch: "millrace_http_requests_total"),
            .bytes(
                "decompressed_bytes_max", \.http.decompressedBytesMax, 1 << 20...1 << 40,
                "What a compressed body may become.", watch: "millrace_http_requests_total"),
            .integer(
                "decompression_ratio_max", \.http.decompressionRatioMax, 2...100_000, unit: "bytes out for a byte in",
                "Checked after the first MiB out.", watch: "millrace_http_requests_total"),
            .integer(
                "rejected_items_max", \.http.rejectedItemsMax, 1...100_000, unit: "items",
                "Refused items that an answer names; it counts all.", watch: "millrace_intake_lines_refused_total"),
            .bytes(
                "submission_bytes", \.http.submissionBytes, 4 << 10...16 << 20,
                "A streamed body goes to the spool in pieces of about this size.", watch: "millrace_spool_queue_bytes"),
            .duration(
                "retry_after", \.http.retryAfter, .seconds(1) ... .seconds(3600),
                "Retry-After of a 503, in whole seconds.", watch: "millrace_spool_refused_total"),
            .bool(
                "strict_health_checks", \.http.strictHealthChecks,
                "A database that is away makes /readyz and the health page answer 503. Also STRICT_HEALTH_CHECKS.",
                watch: "millrace_postgresql_up"),
        ])

    private static let intake = ConfigurationSection(
        name: "intake", doc: "Both intakes.",
        keys: [
            .integer(
                "threads", \.intake.threads, 1...256, unit: "threads", "Event loops that read and parse.",
                watch: "millrace_intake_lines_received_total"),
            .string("unix_mode", \.intake.unixMode, "Permission bits of Unix sockets, octal."),
            .duration(
                "drain_limit", \.intake.drainLimit, .zero ... .seconds(600),
                "How long a stop waits for the answers of what was received.", watch: "millrace_intake_connections_open"
            ),
            .duration(
                "linger", \.intake.linger, .zero ... .seconds(60),
                "How long a connection that was refused may still read what it was told.",
                watch: "millrace_intake_connections_open"),
            .duration(
                "committed_wait", \.intake.committedWait, .milliseconds(100) ... .seconds(3600),
                "How long ack=committed waits before 202 says durable; a half-closed TCP connection is closed then.",
                watch: "millrace_spool_uncommitted_lines"),
            .integer(
                "committed_waiters_max", \.intake.committedWaitersMax, 1...100_000, unit: "requests",
                "Of each intake: how many wait for a commit, half of its connections_max at most; others get 202.",
                watch: "millrace_intake_connections_open"),
            .duration(
                "keepalive", \.intake.keepalive, .seconds(1) ... .seconds(7200),
                "Silence of a TCP connection after which the kernel asks whether its other side is there.",
                watch: "millrace_intake_connections_open"),
            .duration(
                "keepalive_interval", \.intake.keepaliveInterval, .seconds(1) ... .seconds(3600),
                "Between two such questions.", watch: "millrace_intake_connections_open"),
            .duration(
                "peer_timeout", \.intake.peerTimeout, .seconds(1) ... .seconds(7200),
                "How long these, or bytes sent, stay unanswered before the kernel drops the connection.",
                watch: "millrace_intake_connections_open"),
        ])

    private static let limits = ConfigurationSection(
        name: "limits", doc: "What one event may be.",
        keys: [
            .bytes(
                "line_bytes", \.limits.lineBytes, 1 << 10...16 << 20, "A line, or an item of a body.",
                watch: "millrace_intake_lines_refused_total"),
            .bytes(
                "payload_bytes", \.limits.payloadBytes, 1 << 10...16 << 20, "A payload, or metadata.",
                watch: "millrace_intake_lines_refused_total"),
            .bytes(
                "payload_text_bytes", \.limits.payloadTextBytes, 1 << 10...64 << 20,
                "The same as PostgreSQL prints it, without exponents: 1e9 is 1000000000. At least payload_bytes.",
                watch: "millrace_intake_lines_refused_total"),
            .integer(
                "depth", \.limits.depth, 2...512, unit: "levels", "Nesting of a payload.",
                watch: "millrace_intake_lines_refused_total"),
            .bytes(
                "refused_line_bytes", \.limits.refusedLineBytes, 0...1 << 20,
                "How much of a refused line is kept in dead_letters.", watch: "millrace_writer_lines_refused_total"),
            .duration(
                "refused_log_interval", \.limits.refusedLogInterval, .zero ... .seconds(86_400),
                "Least time between two log lines about refused lines.", watch: "millrace_intake_lines_refused_total"),
        ])

    private static let spool = ConfigurationSection(
        name: "spool", doc: "The log on disk, between clients and database.",
        keys: [
            .string(
                "directory", \.spool.directory, "\"\" is spool under data.directory.", watch: "millrace_spool_bytes"),
            .bytes(
                "segment_bytes", \.spool.segmentBytes, 1 << 20...4 << 30,
                "A segment file is closed at this size; at most a quarter of spool.bytes.",
                watch: "millrace_spool_segments"),
            .bytes(
                "bytes", \.spool.bytes, 4 << 20...1 << 50,
                "All segments together; above, nothing is taken until PostgreSQL has caught up.",
                watch: "millrace_spool_bytes"),
            .bytes(
                "free_bytes", \.spool.freeBytes, 0...1 << 50, "What stays free on the disk; below, nothing is taken.",
                watch: "millrace_spool_free_bytes"),
            .bytes(
                "queue_bytes", \.spool.queueBytes, 1 << 20...1 << 30,
                "Bytes in memory that wait for the disk; when full, sockets are not read.",
                watch: "millrace_spool_queue_bytes"),
            .bytes(
                "group_bytes", \.spool.groupBytes, 64 << 10...256 << 20, "What one fdatasync covers at most.",
                watch: "millrace_spool_sync_duration_seconds"),
            .bytes(
                "zero_ahead_bytes", \.spool.zeroAheadBytes, 0...64 << 20,
                "Zeros written at a time, for small groups to go over: a file that stays as long is durable sooner.",
                watch: "millrace_spool_sync_duration_seconds"),
            .duration(
                "retain", \.spool.retain, .zero ... .seconds(31 * 86_400),
                "How long a segment that is wholly in the database is kept; while PostgreSQL is away it does not count.",
                watch: "millrace_spool_segments_retired_early_total"),
            .string(
                "retain_until_replayed", \.spool.retainUntilReplayed,
                "Standbys whose replay segments wait for too: application_names with commas between, or \"*\" all attached.",
                watch: "millrace_spool_retention_blocked"),
            .duration(
                "full_retry", \.spool.fullRetry, .milliseconds(10) ... .seconds(60),
                "How often a full spool looks for room.", watch: "millrace_spool_refusing"),
        ])
}
