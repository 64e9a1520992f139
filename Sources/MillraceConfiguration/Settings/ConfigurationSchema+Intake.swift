internal import MillraceAPI
internal import MillraceAccess
internal import MillraceChannels
internal import MillraceEvent
internal import MillraceIntake
internal import MillraceTreatment
internal import MillraceWriter

extension ConfigurationSchema {
    static let tcp = ConfigurationSection(
        name: "tcp", doc: "Intake of lines over TCP.",
        keys: [
            .list(
                "listen", \.tcp.listen,
                "Addresses: host:port, [v6]:port or unix:/path; what others reach wants TLS, and keys of its clients.",
                watch: "millrace_intake_connections_open"),
            .bool(
                "tls", \.tcp.tls, "TLS on these addresses, but for Unix sockets; the certificate is in [tls].",
                watch: "millrace_tls_handshake_failures_total"),
            .integer(
                "backlog", \.tcp.backlog, 1...65_535, unit: "connections",
                "Connections that the kernel keeps waiting for `accept`; its own limit is net.core.somaxconn.",
                watch: "millrace_intake_connections_accepted_total"),
            .integer(
                "connections_max", \.tcp.connectionsMax, 1...1_000_000, unit: "connections",
                "Open connections; one more is told so and closed.",
                watch: "millrace_intake_connections_refused_total"
            ).live,
            .duration(
                "idle_timeout", \.tcp.idleTimeout, .zero ... .seconds(7 * 86_400),
                "How long nothing may come before a connection that waits for no ack is closed; 0s is for ever.",
                watch: "millrace_intake_connections_open"
            ).live,
            .bytes(
                "inflight_bytes_max", \.tcp.inflightBytesMax, 64 << 10...256 << 20,
                "Bytes of one connection that wait to become durable before it is read no further.",
                watch: "millrace_spool_queue_bytes"
            ).live,
            .integer(
                "refused_lines_max", \.tcp.refusedLinesMax, 1...1_000_000_000, unit: "lines",
                "Refused lines beyond the accepted ones before a connection is told so and closed: no Millrace client.",
                watch: "millrace_intake_connections_closed_total"
            ).live,
            .integer(
                "reported_lines_max", \.tcp.reportedLinesMax, 1...1_000_000, unit: "lines",
                "Of lines that go to the spool together, the dead and parked ones that are named; all are counted.",
                watch: "millrace_writer_parked_events_total"
            ).live,
            .duration(
                "retry_interval", \.tcp.retryInterval, .milliseconds(10) ... .seconds(60),
                "How often lines that a full spool refused are offered again.", watch: "millrace_spool_refused_total"
            ).live,
            .duration(
                "greeting_timeout", \.tcp.greetingTimeout, .milliseconds(100) ... .seconds(600),
                "How long the first line may take where a key is wanted of it.",
                watch: "millrace_intake_connections_open"
            ).live,
            .duration(
                "ended_key_wait", \.tcp.endedKeyWait, .zero ... .seconds(60),
                "How long a connection whose key was revoked or has expired waits for the acks of lines that were taken.",
                watch: "millrace_intake_connections_open"
            ).live,
        ])

    static let http = ConfigurationSection(
        name: "http", doc: "Intake and every other route over HTTP/1.1.",
        keys: [
            .list(
                "listen", \.http.listen,
                "Addresses: host:port, [v6]:port or unix:/path; what others reach wants TLS, and keys of its clients.",
                watch: "millrace_intake_connections_open"),
            .list(
                "hosts", \.http.hosts,
                "Names in Host that are this daemon's, besides loopback's and listen's: those of a proxy in front of it.",
                watch: "millrace_http_requests_total"
            ).live,
            .list(
                "cors_origins", \.http.corsOrigins,
                "Pages of other origins that may send while no key is wanted, like https://app.example.com; a key has its own.",
                watch: "millrace_http_requests_total"
            ).live,
            .bool(
                "tls", \.http.tls, "TLS on these addresses, but for Unix sockets; the certificate is in [tls].",
                watch: "millrace_tls_handshake_failures_total"),
            .integer(
                "backlog", \.http.backlog, 1...65_535, unit: "connections",
                "Connections that the kernel keeps waiting for `accept`; its own limit is net.core.somaxconn.",
                watch: "millrace_intake_connections_accepted_total"),
            .integer(
                "connections_max", \.http.connectionsMax, 2...1_000_000, unit: "connections",
                "Open connections, the reserved ones included; one more gets 503 and is closed.",
                watch: "millrace_intake_connections_refused_total"
            ).live,
            .integer(
                "reserved_connections", \.http.reservedConnections, 1...1000, unit: "connections",
                "The last of connections_max answer only /livez, /readyz and /metrics.",
                watch: "millrace_intake_connections_open"
            ).live,
            .duration(
                "crowded_wait", \.http.crowdedWait, .milliseconds(100) ... .seconds(60),
                "How long a connection may say nothing once only reserved_connections are left; noticed within twice that.",
                watch: "millrace_intake_connections_open"
            ).live,
            .duration(
                "header_timeout", \.http.headerTimeout, .milliseconds(100) ... .seconds(600),
                "From a request's first byte to the end of its headers; absolute.",
                watch: "millrace_http_requests_total"
            ).live,
            .bytes(
                "header_bytes", \.http.headerBytes, 1 << 10...1 << 20, "All header fields of a request together.",
                watch: "millrace_http_requests_total"
            ).live,
            .integer(
                "header_fields", \.http.headerFields, 10...10_000, unit: "fields", "Header fields of a request.",
                watch: "millrace_http_requests_total"
            ).live,
            .bytes(
                "body_rate_min", \.http.bodyRateMin, 0...1 << 30, unit: "bytes a second",
                "Slowest body, over body_rate_interval; time in which the daemon itself did not read doesn't count.",
                watch: "millrace_http_requests_total"
            ).live,
            .duration(
                "body_rate_interval", \.http.bodyRateInterval, .seconds(1) ... .seconds(600),
                "Over what time body_rate_min is measured.", watch: "millrace_http_requests_total"
            ).live,
            .duration(
                "keep_alive", \.http.keepAlive, .zero ... .seconds(3600),
                "From when an answer is sent to the next request, before the connection is closed.",
                watch: "millrace_intake_connections_open"
            ).live,
            .duration(
                "write_timeout", \.http.writeTimeout, .milliseconds(100) ... .seconds(3600),
                "How long a client may take none of its answer; one that takes some is never cut off.",
                watch: "millrace_intake_connections_open"
            ).live,
            .bytes(
                "request_body_max", \.routes.requestBodyMax, 1 << 10...64 << 20,
                "Body of a route that is not streamed; /v1/events is, and takes any size.",
                watch: "millrace_http_requests_total"
            ).live,
            .integer(
                "known_saves_max", \.routes.knownSavesMax, 1...10_000_000, unit: "saves",
                "The latest saves with a timestamp whose user is remembered, so that another user's is refused before "
                    + "PostgreSQL has them; 100 bytes each.", watch: "millrace_spool_queue_bytes"),
            .bytes(
                "decompressed_bytes_max", \.http.decompressedBytesMax, 1 << 20...1 << 40,
                "What a compressed body may become.", watch: "millrace_http_requests_total"
            ).live,
            .bytes(
                "sdk_body_max", \.http.sdkBodyMax, 64 << 10...256 << 20,
                "A body that an SDK sends, decompressed; it is read whole, in memory.budget.",
                watch: "millrace_memory_refused_total"
            ).live,
            .integer(
                "decompression_ratio_max", \.http.decompressionRatioMax, 2...100_000, unit: "bytes out for a byte in",
                "Checked after the first MiB out.", watch: "millrace_http_requests_total"
            ).live,
            .integer(
                "rejected_items_max", \.http.rejectedItemsMax, 1...100_000, unit: "items",
                "Refused, parked and dead items that an answer names, of each; it counts all.",
                watch: "millrace_intake_lines_refused_total"
            ).live,
            .bytes(
                "submission_bytes", \.http.submissionBytes, 4 << 10...16 << 20,
                "A streamed body goes to the spool in pieces of about this size.", watch: "millrace_spool_queue_bytes"
            ).live,
            .duration(
                "retry_after", \.http.retryAfter, .seconds(1) ... .seconds(3600),
                "Retry-After of a 503, in whole seconds.", watch: "millrace_spool_refused_total"
            ).live,
            .bool(
                "strict_health_checks", \.routes.strictHealthChecks,
                "A database that is away makes /readyz and the health page answer 503. Also STRICT_HEALTH_CHECKS.",
                watch: "millrace_postgresql_up"
            ).live,
        ])

    static let intake = ConfigurationSection(
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
                watch: "millrace_intake_connections_open"
            ).live,
            .duration(
                "committed_wait", \.intake.committedWait, .milliseconds(100) ... .seconds(3600),
                "How long ack=committed waits before 202 says durable; a half-closed TCP connection is closed then.",
                watch: "millrace_spool_uncommitted_lines"
            ).live,
            .integer(
                "committed_waiters_max", \.intake.committedWaitersMax, 1...100_000, unit: "requests",
                "Of each intake: how many wait for a commit, half of its connections_max at most; others get 202.",
                watch: "millrace_intake_connections_open"
            ).live,
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

    static let memory = ConfigurationSection(
        name: "memory", doc: "What clients may have the daemon hold.",
        keys: [
            .bytes(
                "budget", \.memory.budget, 4 << 20...1 << 40,
                "Lines and bodies that are not whole, pages in the making, answers that nobody takes, all together; above, "
                    + "sockets are not read, and requests that want more get 503.",
                watch: "millrace_memory_used_bytes"
            ).live,
            .duration(
                "line_wait", \.memory.lineWait, .milliseconds(100) ... .seconds(3600),
                "How long a TCP line of over 16 KiB may take while others want memory, before its connection is closed.",
                watch: "millrace_memory_refused_total"
            ).live,
        ])

    static let limits = ConfigurationSection(
        name: "limits", doc: "What one event may be, and what one address or key may do.",
        keys: [
            .bytes(
                "line_bytes", \.limits.lineBytes, 1 << 10...16 << 20, "A line, or an item of a body.",
                watch: "millrace_intake_lines_refused_total"
            ).live,
            .bytes(
                "payload_bytes", \.limits.payloadBytes, 1 << 10...16 << 20, "A payload, or metadata.",
                watch: "millrace_intake_lines_refused_total"
            ).live,
            .bytes(
                "payload_text_bytes", \.limits.payloadTextBytes, 1 << 10...64 << 20,
                "The same as PostgreSQL prints it, without exponents: 1e9 is 1000000000. At least payload_bytes.",
                watch: "millrace_intake_lines_refused_total"
            ).live,
            .integer(
                "depth", \.limits.depth, 2...512, unit: "levels", "Nesting of a payload.",
                watch: "millrace_intake_lines_refused_total"
            ).live,
            .bytes(
                "refused_line_bytes", \.limits.refusedLineBytes, 0...1 << 20,
                "How much of a refused line is kept in dead_letters.", watch: "millrace_writer_lines_refused_total"
            ).live,
            .duration(
                "refused_log_interval", \.limits.refusedLogInterval, .zero ... .seconds(86_400),
                "Least time between two log lines about refused lines.", watch: "millrace_intake_lines_refused_total"
            ).live,
            .integer(
                "address_connections_max", \.accessLimits.addressConnectionsMax, 0...1_000_000, unit: "connections",
                "Open connections of one address (of IPv6: its first 64 bits), TCP and HTTP together; 0 is any number.",
                watch: "millrace_intake_rate_limited_total"
            ).live,
            .integer(
                "address_requests_max", \.accessLimits.addressRequestsMax, 0...1_000_000, unit: "requests",
                "Requests of one address that are read or answered at a time; 0 is any number.",
                watch: "millrace_intake_rate_limited_total"
            ).live,
            .integer(
                "address_rate", \.accessLimits.addressRate, 0...1_000_000_000, unit: "events a second",
                "Events of one address, and other requests of its; 0 is any number.",
                watch: "millrace_intake_rate_limited_total"
            ).live,
            .bool(
                "address_loopback", \.accessLimits.addressLoopback,
                "Loopback's addresses have these limits too; Unix sockets never have.",
                watch: "millrace_intake_rate_limited_total"
            ).live,
            .integer(
                "addresses_max", \.accessLimits.addressesMax, 16...10_000_000, unit: "addresses",
                "Addresses whose use is remembered when they have nothing open.",
                watch: "millrace_process_resident_memory_bytes"),
            .integer(
                "key_connections_max", \.accessLimits.keyConnectionsMax, 0...1_000_000, unit: "connections",
                "Open TCP connections of one key; 0 is any number.", watch: "millrace_intake_rate_limited_total"
            ).live,
            .integer(
                "key_requests_max", \.accessLimits.keyRequestsMax, 0...1_000_000, unit: "requests",
                "Requests of one key that are read or answered at a time; 0 is any number.",
                watch: "millrace_intake_rate_limited_total"
            ).live,
        ])

    static let rules = ConfigurationSection(
        name: "rules",
        doc: "Which lines are taken, by event type. The file is read again on reload; `millrace rules test` tries it.",
        keys: [
            .string(
                "file", \.rules.file, "The rules (TOML, see the guide's page Rules); \"\" is none.",
                watch: "millrace_rules_lines_total"
            ).live
        ])

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
                "burst_lines", \.refusals.burstLines, 0...1_000_000_000, unit: "lines",
                "Refused lines of one connection that are all kept, in a burst_interval.",
                watch: "millrace_intake_lines_not_kept_total"
            ).live,
            .duration(
                "burst_interval", \.refusals.burstInterval, .seconds(1) ... .seconds(86_400),
                "After it a connection's burst_lines are kept whole again.",
                watch: "millrace_intake_lines_not_kept_total"
            ).live,
            .integer(
                "sampled_one_in", \.refusals.sampledOneIn, 1...1_000_000_000, unit: "lines",
                "Of the further ones one in so many is kept; all are counted.",
                watch: "millrace_intake_lines_not_kept_total"
            ).live,
        ])
}
