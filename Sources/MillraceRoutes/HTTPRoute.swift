/// Every route of the daemon, by method and path: the intake finds requests by it, the API routes and describes them, and
/// metrics are tagged with it, so the set is closed whatever paths clients send.
package enum HTTPRoute: Int, Sendable, CaseIterable, CustomStringConvertible {
    case events, conversationSave, checkout
    case eventQuery, packs, counts, tops, uniques, statusCounts, entities, entity, conversations, conversationSearch
    case productSearch
    case funnels, retention, sessions, paths
    case health, dashboard
    case tail, live
    case livez, readyz, metrics, latency, openAPI, reload, userErase, database
    case page, pageFile, session, login, logout, months, deadLetters, deadLettersRetry
    case segment, segmentPixel, postHog, postHogV1, featureFlags, cloudEvents, openTelemetryLogs
    case pixel, snippet
    /// A request of none of the others.
    case other

    package enum Method: String, Sendable {
        case get, post, delete
    }

    package var method: Method {
        switch self {
        case .events, .conversationSave, .checkout, .reload, .segment, .postHog, .postHogV1, .featureFlags,
            .cloudEvents, .openTelemetryLogs, .login, .logout, .deadLettersRetry:
            .post
        case .userErase: .delete
        default: .get
        }
    }

    /// With `{names}` where a path holds what is asked for; empty for `other`.
    package var path: String {
        switch self {
        case .events, .eventQuery: "/v1/events"
        case .conversationSave: "/api/v1/conversations/save"
        case .checkout: "/v1/checkout"
        case .productSearch: "/v1/products/search"
        case .funnels: "/v1/funnels"
        case .retention: "/v1/retention"
        case .sessions: "/v1/sessions"
        case .paths: "/v1/paths"
        case .tail: "/v1/tail"
        case .live: "/v1/live"
        case .livez: "/livez"
        case .readyz: "/readyz"
        case .metrics: "/metrics"
        case .latency: "/debug/latency"
        case .reload: "/v1/reload"
        case .userErase: "/v1/users/{id}"
        case .database: "/v1/database"
        case .page: "/"
        case .pageFile: "/page/{file}"
        case .session: "/session"
        case .login: "/login"
        case .logout: "/logout"
        case .months: "/v1/months"
        case .deadLetters: "/v1/dead-letters"
        case .deadLettersRetry: "/v1/dead-letters/retry"
        case .other: ""
        case .packs: "/v1/packs"
        case .counts: "/v1/counts/{pack}/{fold}"
        case .tops: "/v1/tops/{pack}/{fold}"
        case .uniques: "/v1/uniques/{pack}/{fold}"
        case .entities: "/v1/entities/{pack}/{fold}"
        case .entity: "/v1/entities/{pack}/{fold}/{key}"
        case .statusCounts: "/v1/status-counts/{pack}/{name}"
        case .conversations: "/v1/conversations"
        case .conversationSearch: "/v1/conversations/search"
        case .health: "/api/v1/stats-fast/health"
        case .dashboard: "/api/v1/stats-fast/dashboard"
        case .openAPI: "/openapi.json"
        case .segment: "/v1/batch"
        case .segmentPixel: "/pixel/v1/track"
        case .postHog: "/batch"
        case .postHogV1: "/i/v1/analytics/events"
        case .featureFlags: "/flags"
        case .cloudEvents: "/v1/cloudevents"
        case .openTelemetryLogs: "/v1/logs"
        case .pixel: "/p.gif"
        case .snippet: "/millrace.js"
        }
    }

    /// Further paths of the same route, as SDKs have many for one thing.
    package var furtherPaths: [String] {
        switch self {
        case .segment:
            [
                "/v1/track", "/v1/identify", "/v1/page", "/v1/screen", "/v1/group", "/v1/alias", "/v1/merge",
                "/v1/import",
                "/beacon/v1/batch",
            ]
        case .segmentPixel: ["/pixel/v1/page"]
        case .postHog: ["/capture", "/e", "/i/v0/e", "/track", "/engage", "/i/v0/ai/batch"]
        case .featureFlags: ["/decide"]
        default: []
        }
    }

    /// By the paths that hold no names; of events, the route that posts them.
    private static let fixed: [String: HTTPRoute] = allCases.reversed().reduce(into: [:]) { routes, route in
        for path in [route.path] + route.furtherPaths where !path.isEmpty && !path.contains("{") {
            routes[path] = route
        }
    }

    /// The metric tag: the path, with the method where two routes share one.
    package var description: String {
        switch self {
        case .other: "other"
        case .eventQuery: "GET " + path
        default: path
        }
    }

    /// Of the request line. `isReading`: the method is GET or HEAD; another one than the route's still is of the route.
    package init(path: some StringProtocol, isReading: Bool) {
        // The first, since most requests are this one.
        if path == HTTPRoute.events.path {
            self = isReading ? .eventQuery : .events
        } else {
            self =
                Self.fixed[String(path)] ?? Self.allCases.first { $0.path.contains("{") && $0.match(path) != nil }
                ?? .other
        }
    }

    /// What stands for the names of the path, still percent-encoded; nil for a path of another route.
    package func match<Path: StringProtocol>(_ requested: Path) -> [(name: String, value: Path.SubSequence)]? {
        if furtherPaths.contains(where: { $0 == requested }) || requested == "/" && self == .page { return [] }
        let wanted = path.split(separator: "/")
        let parts = requested.split(separator: "/")
        guard !wanted.isEmpty, wanted.count == parts.count else { return nil }
        var values: [(String, Path.SubSequence)] = []
        for (pattern, part) in zip(wanted, parts) {
            if pattern.hasPrefix("{") {
                values.append((String(pattern.dropFirst().dropLast()), part))
            } else if pattern != part {
                return nil
            }
        }
        return values
    }

    /// Its answer goes on until somebody ends it.
    package var isStream: Bool { self == .tail || self == .live }

    /// Answered out of a replica, where one is configured: `X-Replica-Lag` says how old the answer may be, and `after` what it
    /// must hold.
    package var readsReplicas: Bool {
        switch self {
        case .eventQuery, .packs, .counts, .tops, .uniques, .statusCounts, .entities, .entity, .conversations,
            .conversationSearch, .productSearch, .funnels, .retention, .sessions, .paths, .dashboard:
            true
        default: false
        }
    }

    /// What load balancers ask, by whatever name.
    package var isProbe: Bool { self == .livez || self == .readyz }

    /// What it posts counts against the rates of its key.
    package var isSending: Bool { takesLines || self == .conversationSave || self == .checkout }

    /// The intake makes lines of its bodies.
    package var takesLines: Bool { self == .events || isOfSDK }

    /// Pages of other origins may ask, where a key lets them.
    package var takesPages: Bool { takesLines || self == .featureFlags }

    /// What an SDK or a page sends when only its host was changed, CloudEvents, and logs of OpenTelemetry.
    package var isOfSDK: Bool {
        switch self {
        case .segment, .segmentPixel, .postHog, .postHogV1, .cloudEvents, .openTelemetryLogs, .pixel: true
        default: false
        }
    }

    /// Answered even on the connections that are kept free for operations.
    package var isOperational: Bool { isProbe || self == .metrics }

    /// Answered out of PostgreSQL.
    package var isOfDatabase: Bool {
        switch self {
        case .events, .conversationSave, .livez, .readyz, .metrics, .latency, .other, .openAPI, .reload, .segment,
            .segmentPixel, .postHog, .postHogV1, .featureFlags, .cloudEvents, .openTelemetryLogs, .live, .pixel,
            .snippet,
            .page, .pageFile, .session, .login, .logout, .deadLettersRetry:
            false
        case .tail, .eventQuery, .packs, .counts, .tops, .uniques, .entities, .entity, .statusCounts, .conversations,
            .conversationSearch, .productSearch, .funnels, .retention, .sessions, .paths, .checkout, .health,
            .dashboard, .userErase, .database, .months, .deadLetters:
            true
        }
    }
}
