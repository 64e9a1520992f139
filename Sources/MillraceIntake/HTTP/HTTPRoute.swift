/// Routes as metric tags: a closed set of patterns, whatever paths clients send.
package enum HTTPRoute: Int, Sendable, CaseIterable, CustomStringConvertible {
    case events, conversationSave, livez, readyz, metrics, latency, other
    case eventQuery, packs, counts, tops, uniques, entities, entity, statusCounts, conversations, conversationSearch
    case health, dashboard, openAPI

    /// `isReading`: the method is GET or HEAD.
    package init(path: some StringProtocol, isReading: Bool) {
        self =
            switch path {
            case "/v1/events": isReading ? .eventQuery : .events
            case "/api/v1/conversations/save": .conversationSave
            case "/livez": .livez
            case "/readyz": .readyz
            case "/metrics": .metrics
            case "/debug/latency": .latency
            case "/v1/packs": .packs
            case "/v1/conversations": .conversations
            case "/v1/conversations/search": .conversationSearch
            case "/api/v1/stats-fast/health": .health
            case "/api/v1/stats-fast/dashboard": .dashboard
            case "/openapi.json": .openAPI
            default: Self.pattern(path)
            }
    }

    /// Of the routes whose paths hold names.
    private static func pattern(_ path: some StringProtocol) -> HTTPRoute {
        let parts = path.split(separator: "/", maxSplits: 6)
        guard parts.first == "v1" else { return .other }
        switch (parts.count, parts.count > 1 ? parts[1] : "") {
        case (4, "counts"): return .counts
        case (4, "tops"): return .tops
        case (4, "uniques"): return .uniques
        case (4, "entities"): return .entities
        case (5, "entities"): return .entity
        case (4, "status-counts"): return .statusCounts
        default: return .other
        }
    }

    /// The metric tag.
    package var description: String {
        switch self {
        case .events: "/v1/events"
        case .conversationSave: "/api/v1/conversations/save"
        case .livez: "/livez"
        case .readyz: "/readyz"
        case .metrics: "/metrics"
        case .latency: "/debug/latency"
        case .other: "other"
        case .eventQuery: "GET /v1/events"
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
        }
    }

    /// What load balancers ask, by whatever name.
    var isProbe: Bool { self == .livez || self == .readyz }

    /// Answered even on the connections that are kept free for operations.
    var isOperational: Bool { self == .livez || self == .readyz || self == .metrics }
}
