/// Routes as metric tags: a closed set of patterns, whatever paths clients send.
package enum HTTPRoute: Int, Sendable, CaseIterable, CustomStringConvertible {
    case events, conversationSave, livez, readyz, metrics, latency, other

    package init(path: some StringProtocol) {
        self =
            switch path {
            case "/v1/events": .events
            case "/api/v1/conversations/save": .conversationSave
            case "/livez": .livez
            case "/readyz": .readyz
            case "/metrics": .metrics
            case "/debug/latency": .latency
            default: .other
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
        }
    }

    /// Answered even on the connections that are kept free for operations.
    var isOperational: Bool { self == .livez || self == .readyz || self == .metrics }
}
