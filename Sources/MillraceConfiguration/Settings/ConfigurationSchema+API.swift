internal import MillraceAPI
internal import MillraceAccess
internal import MillracePostgres

extension ConfigurationSchema {
    static let api = ConfigurationSection(
        name: "api", doc: "Routes that read PostgreSQL, over connections of their own.",
        keys: [
            .connectionStrings(
                "read_url", \.api.readURL,
                "libpq connection string of a replica to read from, or a list of several; \"\" is database.url alone.",
                watch: "millrace_read_replica_lag_seconds"),
            .duration(
                "max_lag", \.api.maxLag, .zero ... .seconds(86_400),
                "A replica that is further behind, or does not answer, is not read: another one is, or database.url.",
                watch: "millrace_read_replica_lag_seconds"
            ).live,
            .duration(
                "lag_interval", \.api.lagInterval, .milliseconds(50) ... .seconds(60),
                "How often each replica and the primary are asked how far they are; the lag is told by as much too large.",
                watch: "millrace_read_replica_lag_seconds"),
            .duration(
                "after_wait", \.api.afterWait, .zero ... .seconds(60),
                "How long a request with after waits for its lines to be in PostgreSQL before it gets 503.",
                watch: "millrace_read_refused_total"
            ).live,
            .bool(
                "open_on_loopback", \.api.openOnLoopback,
                "Without any key under [jwt], this machine reads over loopback without a token; false before a proxy."
            ).live,
            .integer(
                "connections_min", \.api.connectionsMin, 0...100, unit: "connections",
                "Idle connections that stay open; they are opened when first needed.",
                watch: "millrace_read_connections_idle"
            ).live,
            .integer(
                "connections_max", \.api.connectionsMax, 1...100, unit: "connections",
                "Requests that PostgreSQL answers at the same time; the others wait.",
                watch: "millrace_read_connections_busy"
            ).live,
            .integer(
                "checkouts_max", \.api.checkoutsMax, 1...100, unit: "connections",
                "With the pack commerce: checkouts at the same time, over connections to database.url of their own.",
                watch: "millrace_http_request_duration_seconds"
            ).live,
            .integer(
                "waiting_max", \.api.waitingMax, 0...100_000, unit: "requests",
                "Requests that wait for a connection; one more gets 503.", watch: "millrace_read_requests_waiting"
            ).live,
            .duration(
                "acquire_timeout", \.api.acquireTimeout, .milliseconds(10) ... .seconds(60),
                "How long a request waits for a connection before it gets 503.",
                watch: "millrace_read_refused_total"
            ).live,
            .duration(
                "statement_timeout", \.api.statementTimeout, .milliseconds(10) ... .seconds(600),
                "How long one statement may take in PostgreSQL before its request gets 503.",
                watch: "millrace_read_query_duration_seconds"
            ).live,
            .duration(
                "idle_timeout", \.api.idleTimeout, .seconds(1) ... .seconds(3600),
                "When an unused connection above connections_min is closed.",
                watch: "millrace_read_connections_idle"
            ).live,
            .secret(
                "cursor_key", \.api.cursorKey, .hidden,
                "Signs cursors, 16 bytes or more, the same for daemons behind one name; \"\" is a key of this daemon's own."
            ).live,
            .bytes(
                "page_bytes", \.api.pageBytes, 64 << 10...64 << 20, "A page that has become as large ends there.",
                watch: "millrace_process_resident_memory_bytes"
            ).live,
            .integer(
                "offset_max", \.api.offsetMax, 0...1_000_000, unit: "items",
                "Items that offset may leave out: all of them are read. 0: cursors only.",
                watch: "millrace_read_query_duration_seconds"
            ).live,
            .integer(
                "include_depth", \.api.includeDepth, 1...8, unit: "names",
                "Folds that may stand behind each other in include: a statement each.",
                watch: "millrace_read_query_duration_seconds"
            ).live,
            .integer(
                "include_rows_max", \.api.includeRowsMax, 1...1_000_000, unit: "rows",
                "Rows that all lists of one include have together; a list that lacks some is in truncated.",
                watch: "millrace_read_query_duration_seconds"
            ).live,
            .duration(
                "report_range_max", \.api.reportRangeMax, .seconds(3600) ... .seconds(36_600 * 86_400),
                "With the pack product: longest time range of a report; all events within it are read.",
                watch: "millrace_read_query_duration_seconds"
            ).live,
            .bytes(
                "reports_bytes", \.api.reportsBytes, 0...1 << 30,
                "With the pack product: reports that are kept, and answered as long as no event comes. 0: none.",
                watch: "millrace_process_resident_memory_bytes"
            ).live,
            .duration(
                "reports_lifetime", \.api.reportsLifetime, .zero ... .seconds(3600),
                "When a kept report is made anew, for what no event tells: months that go or come back."
            ).live,
        ])

    static let page = ConfigurationSection(
        name: "page", doc: "The operators' page at /, on every HTTP listener.",
        keys: [
            .bool(
                "enabled", \.page.enabled, "False: / and all that is the page's is 404."
            ).live,
            .duration(
                "session_lifetime", \.page.sessionLifetime, .seconds(60) ... .seconds(31 * 86_400),
                "With keys: how long a login opens what its key does. A restart, and its key's end, end it before.",
                watch: "millrace_http_requests_total"
            ).live,
            .integer(
                "sessions_max", \.page.sessionsMax, 1...100_000, unit: "logins",
                "Logins at the same time; one more ends the oldest of its key, or else the oldest of all.",
                watch: "millrace_http_requests_total"
            ).live,
        ])

    static let identity = ConfigurationSection(
        name: "identity",
        doc: "The database that knows users by name: public.users(id, email, first_name, last_name, plan).",
        keys: [
            .secret(
                "url", \.identity.url, .connectionString,
                "libpq connection string; \"\" is none: dashboards show ids instead of names."),
            .integer(
                "cache_entries", \.identity.cacheEntries, 1...10_000_000, unit: "users",
                "Users that are remembered, unknown ones too.", watch: "millrace_process_resident_memory_bytes"),
            .duration(
                "cache_lifetime", \.identity.cacheLifetime, .zero ... .seconds(86_400),
                "When a remembered user is asked for again."),
            .duration(
                "timeout", \.identity.timeout, .milliseconds(10) ... .seconds(60),
                "How long a look-up may take before the dashboard does without.",
                watch: "millrace_http_request_duration_seconds"),
            .duration(
                "retry_after", \.identity.retryAfter, .zero ... .seconds(3600),
                "How long nothing is asked of it after a look-up that failed.",
                watch: "millrace_http_request_duration_seconds"),
            .integer(
                "users_max", \.identity.usersMax, 1...1000, unit: "users",
                "Top users on the dashboard, asked for at once.", watch: "millrace_http_request_duration_seconds"
            ).live,
            .integer(
                "tenant", \.identity.tenant, 0...2_147_483_647,
                "Whose users it knows: dashboards of other tenants show ids."),
        ])

    static let auth = ConfigurationSection(
        name: "auth", doc: "Keys, as `millrace keys create` makes them. From the first one on everyone must have one.",
        keys: [
            .bool(
                "required", \.auth.required,
                "Keys are wanted before the first is made; so it is anyway with a listener that others reach."),
            .bool(
                "open_operations", \.auth.openOperations,
                "This machine reads /metrics, /debug and /openapi.json without a key; false before a proxy."
            ).live,
            .duration(
                "failure_delay", \.auth.failureDelay, .zero ... .seconds(10),
                "How long the answer to a wrong key or token is held back.",
                watch: "millrace_intake_authentications_failed_total"
            ).live,
            .duration(
                "failure_delay_max", \.auth.failureDelayMax, .zero ... .seconds(60),
                "The same of an address that goes on failing; it doubles with each ten failures of a minute.",
                watch: "millrace_intake_authentications_failed_total"
            ).live,
            .integer(
                "failures_waiting_max", \.auth.failuresWaitingMax, 1...100_000, unit: "answers",
                "Answers that are held back at a time; further failures get none, and their connections are closed.",
                watch: "millrace_intake_authentications_failed_total"
            ).live,
            .integer(
                "address_failures_waiting_max", \.auth.addressFailuresWaitingMax, 1...100_000, unit: "answers",
                "The same of one address.", watch: "millrace_intake_authentications_failed_total"
            ).live,
            .duration(
                "refresh_interval", \.auth.refreshInterval, .milliseconds(100) ... .seconds(60),
                "From one look at the keys in PostgreSQL to the next: how long a revoked one still opens."),
            .integer(
                "keys_max", \.auth.keysMax, 1...1_000_000, unit: "keys",
                "Keys in force of one database; of more, the oldest open."),
            .bool(
                "plaintext_behind_proxy", \.auth.plaintextBehindProxy,
                "Listeners that others reach may do without TLS, since a proxy ends it; they still want keys."),
        ])
}
