/// The routes that read PostgreSQL, as metric tags: patterns, never paths.
package enum ReadRoute: String, Sendable, CaseIterable {
    case events = "GET /v1/events"
    case packs = "/v1/packs"
    case counts = "/v1/counts/{pack}/{fold}"
    case tops = "/v1/tops/{pack}/{fold}"
    case uniques = "/v1/uniques/{pack}/{fold}"
    case entities = "/v1/entities/{pack}/{fold}"
    case entity = "/v1/entities/{pack}/{fold}/{key}"
    case statusCounts = "/v1/status-counts/{pack}/{name}"
    case conversations = "/v1/conversations"
    case conversationSearch = "/v1/conversations/search"
    case health = "/api/v1/stats-fast/health"
    case dashboard = "/api/v1/stats-fast/dashboard"

    /// Without the method.
    package var path: String { String(rawValue.split(separator: " ").last ?? "") }
}
