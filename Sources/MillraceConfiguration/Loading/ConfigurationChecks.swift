internal import MillraceAPI
internal import MillraceAccess
internal import MillraceArchive
internal import MillraceChannels
internal import MillraceEvent
internal import MillraceIntake
internal import MillracePostgres
internal import MillraceProjections
internal import MillraceSpool
internal import MillraceTreatment
internal import MillraceWriter

/// Values that are right alone and impossible together, or that only a closer look finds wrong.
enum ConfigurationChecks {
    static func errors(
        in configuration: DaemonConfiguration, origin: (String) -> ConfigurationOrigin, isToListen: Bool
    ) -> [ConfigurationError] {
        var errors: [ConfigurationError] = []
        func check(_ isRight: Bool, _ key: String, _ code: ConfigurationError.Code, _ message: String) {
            guard !isRight else { return }
            errors.append(ConfigurationError(code: code, origin: origin(key), key: key, message: message))
        }
        /// `key` must not be above `other`.
        func bytes(_ key: String, _ value: Int, atMost limit: Int, _ other: String) {
            check(
                value <= limit, key, .impossibleCombination,
                "\(key) (\(ByteSize.format(value))) is above \(other) (\(ByteSize.format(limit))); lower it, or raise "
                    + "the other")
        }
        for (key, addresses) in [
            ("tcp.listen", configuration.tcp.listen), ("http.listen", configuration.http.listen),
        ] {
            for address in addresses {
                check(
                    ListenAddress(address) != nil, key, .invalidValue,
                    "\(key) has \"\(address)\"; wanted: host:port, [v6]:port or unix:/path (of at most 107 bytes)")
            }
        }
        for listener in configuration.remoteListeners where isToListen {
            let section = listener.key.prefix { $0 != "." }
            check(
                listener.hasTLS || configuration.auth.plaintextBehindProxy, listener.key, .impossibleCombination,
                "\(listener.key) \(listener.address) is not loopback: it wants TLS (\(section).tls = true, with "
                    + "tls.certificate and tls.key), and of every client a key (`millrace keys create`); where a proxy on "
                    + "a private network ends TLS, auth.plaintext_behind_proxy = true (serve --insecure-plaintext) does "
                    + "without the first; or listen on 127.0.0.1, [::1] or unix:/path")
        }
        for address in configuration.http.listen where configuration.tcp.listen.contains(address) {
            check(
                address.hasSuffix(":0"), "http.listen", .impossibleCombination,
                "http.listen \(address) is in tcp.listen too; each needs an address of its own")
        }
        let tls = configuration.tls
        for (key, isOn) in [("tcp.tls", configuration.tcp.tls), ("http.tls", configuration.http.tls)] where isOn {
            for (file, path) in [("tls.certificate", tls.certificate), ("tls.key", tls.key)] {
                check(
                    !path.isEmpty, key, .impossibleCombination,
                    "\(key) is set and \(file) is not; wanted: the path of a PEM file")
            }
        }
        let http = configuration.http
        check(
            http.reservedConnections < http.connectionsMax, "http.reserved_connections", .impossibleCombination,
            "http.reserved_connections (\(http.reservedConnections)) leaves nothing of http.connections_max "
                + "(\(http.connectionsMax)); lower it, or raise the other")
        for host in http.hosts {
            let isName = !host.isEmpty && host.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "/") }
            check(
                isName, "http.hosts", .invalidValue,
                "http.hosts has \"\(host)\"; wanted: a name without scheme and path, like \"events.example.com\"")
        }
        for origin in http.corsOrigins {
            check(
                OriginList.normalized(origin) != nil, "http.cors_origins", .invalidValue,
                "http.cors_origins has \"\(origin)\"; wanted: an origin like \"https://app.example.com\", or "
                    + "\"https://*.example.com\"")
        }
        for path in configuration.erasure.payloadPaths {
            check(
                ErasurePath(path) != nil, "erasure.payload_paths", .invalidValue,
                "erasure.payload_paths has \"\(path)\"; wanted: a member of payloads like \"email\" or \"address.street\", "
                    + "with * for each, or with the events' type before it: \"commerce.lead_captured:email\"")
        }
        let peerTimeout = configuration.intake.peerTimeout
        check(
            http.writeTimeout <= peerTimeout, "http.write_timeout", .impossibleCombination,
            "http.write_timeout (\(DurationText.format(http.writeTimeout))) is above intake.peer_timeout "
                + "(\(DurationText.format(peerTimeout))), after which the kernel ends the connection; lower it, or raise "
                + "the other")
        let mode = UInt32(configuration.intake.unixMode, radix: 8)
        check(
            mode.map { $0 <= 0o777 } ?? false, "intake.unix_mode", .invalidValue,
            "intake.unix_mode is the string \"\(configuration.intake.unixMode)\"; wanted: permission bits in octal, "
                + "like \"0660\"")
        let limits = configuration.limits
        let spool = configuration.spool
        bytes("limits.payload_bytes", limits.payloadBytes, atMost: limits.lineBytes, "limits.line_bytes")
        bytes(
            "limits.payload_bytes", limits.payloadBytes, atMost: limits.payloadTextBytes, "limits.payload_text_bytes")
        bytes("limits.refused_line_bytes", limits.refusedLineBytes, atMost: limits.lineBytes, "limits.line_bytes")
        bytes("limits.line_bytes", limits.lineBytes, atMost: spool.queueBytes, "spool.queue_bytes")
        // A line is whole in one segment, and a request's lines are one submission: what the spool can never take would be
        // refused as if it were full.
        bytes("limits.line_bytes", limits.lineBytes, atMost: spool.segmentBytes, "spool.segment_bytes")
        // A quarantined line is kept whole, in JSON, where each of its bytes may be two.
        check(
            configuration.rules.file.isEmpty || limits.lineBytes <= spool.segmentBytes / 4, "limits.line_bytes",
            .impossibleCombination,
            "limits.line_bytes (\(ByteSize.format(limits.lineBytes))) is above a quarter of spool.segment_bytes "
                + "(\(ByteSize.format(spool.segmentBytes))), which rules.file wants; lower it, or raise the other")
        bytes("http.submission_bytes", http.submissionBytes, atMost: spool.bytes / 2, "half of spool.bytes")
        bytes(
            "http.request_body_max", configuration.routes.requestBodyMax, atMost: spool.bytes / 2, "half of spool.bytes"
        )
        bytes("spool.segment_bytes", spool.segmentBytes, atMost: spool.bytes / 4, "a quarter of spool.bytes")
        bytes("spool.group_bytes", spool.groupBytes, atMost: spool.segmentBytes, "spool.segment_bytes")
        let database = configuration.database
        check(
            database.retryMin <= database.retryMax, "database.retry_min", .impossibleCombination,
            "database.retry_min (\(DurationText.format(database.retryMin))) is above database.retry_max "
                + "(\(DurationText.format(database.retryMax))); lower it, or raise the other")
        let api = configuration.api
        check(
            api.connectionsMin <= api.connectionsMax, "api.connections_min", .impossibleCombination,
            "api.connections_min (\(api.connectionsMin)) is above api.connections_max (\(api.connectionsMax)); lower it, "
                + "or raise the other")
        check(
            api.readURL.count <= APIConfiguration.replicasMax, "api.read_url", .invalidValue,
            "api.read_url has \(api.readURL.count) servers; wanted: \(APIConfiguration.replicasMax) at most, each of which has "
                + "up to api.connections_max sessions")
        check(
            !database.url.isEmpty, "database.url", .invalidValue,
            "database.url is empty; wanted: a connection string, like \"postgresql://user@host/millrace\"")
        for (section, key) in ConfigurationSchema.sections.flatMap({ section in section.keys.map { (section, $0) } })
        where key.secrecy == .connectionString {
            let name = section.fullName(of: key)
            for flaw in key.read(configuration).strings.compactMap({ ConnectionString($0).flaw }) {
                check(false, name, .invalidValue, "\(name): \(flaw.message). \(flaw.hint)")
            }
        }
        check(
            !configuration.data.directory.isEmpty, "data.directory", .invalidValue,
            "data.directory is empty; wanted: a directory")
        check(
            RetentionText.parse(configuration.partitions.retain) != nil, "partitions.retain", .invalidValue,
            "partitions.retain is \"\(configuration.partitions.retain)\"; wanted: a duration of a day at least, like "
                + "\"13mo\", or one a table, like \"analytics_events=13mo, conversations=36mo\"")
        check(
            QuietHours(configuration.partitions.quietHours) != nil, "partitions.quiet_hours", .invalidValue,
            "partitions.quiet_hours is \"\(configuration.partitions.quietHours)\"; wanted: two times of day in UTC, like "
                + "\"01:00-05:00\"")
        check(
            configuration.archive.command.isEmpty || !configuration.archive.fetchCommand.isEmpty, "archive.command",
            .impossibleCombination,
            "archive.command is set and archive.fetch_command is not; wanted: the command that brings a file back, since "
                + "nothing is dropped before what was taken has been read again")
        let jwksURL = configuration.jwt.jwksURL
        let flaw = jwksURL.isEmpty ? nil : KeySetAddress.flaw(of: jwksURL)
        check(flaw == nil, "jwt.jwks_url", .invalidValue, "jwt.jwks_url: \(flaw ?? "")")
        for (key, claim) in [
            ("jwt.subject_claim", configuration.jwt.subjectClaim), ("jwt.scope_claim", configuration.jwt.scopeClaim),
        ] {
            check(!claim.isEmpty, key, .invalidValue, "\(key) is empty; wanted: a claim's name")
        }
        if let error = configuration.fields.flaw { check(false, error.key, .invalidValue, error.description) }
        let secretBytes = configuration.jwt.secret.value.utf8.count
        check(
            secretBytes == 0 || secretBytes >= JWTKey.secretBytesMin, "jwt.secret", .invalidValue,
            "jwt.secret has \(secretBytes) bytes; HS256 wants \(JWTKey.secretBytesMin) or more")
        return errors
    }
}
