/// How a metric is exposed, what it tells, and the labels that each of its series has.
package struct MetricDefinition: Sendable, Equatable {
    package enum Kind: String, Sendable {
        case counter
        case gauge
        /// Durations, as a histogram in seconds.
        case timer = "histogram"
        /// Sum and count.
        case summary
    }

    package var kind: Kind
    /// One sentence.
    package var help: String
    /// In the order of the text.
    package var labels: [MetricLabel]

    static func counter(_ help: String, _ labels: [MetricLabel]) -> Self {
        Self(kind: .counter, help: help, labels: labels)
    }

    static func gauge(_ help: String, _ labels: [MetricLabel]) -> Self {
        Self(kind: .gauge, help: help, labels: labels)
    }

    static func timer(_ help: String, _ labels: [MetricLabel]) -> Self {
        Self(kind: .timer, help: help, labels: labels)
    }

    static func summary(_ help: String, _ labels: [MetricLabel]) -> Self {
        Self(kind: .summary, help: help, labels: labels)
    }
}

/// The labels of Millrace's metrics; where their values come from.
package enum MetricLabel: String, Sendable, CaseIterable {
    /// `FieldAction`.
    case action
    /// `RefusalCode`.
    case code
    /// `RecordKind`: event, conversation, refused; of uncommitted lines also unread.
    case kind
    /// refused, quarantined or sampled_out.
    case outcome
    /// A pack of projections.packs.
    case pack
    /// `SpoolRefusal`, `ReadRefusal`, `TLSFailure`, or a class of SQLSTATE.
    case reason
    /// Its place in api.read_url, from 1; primary.
    case replica
    /// taken or failed.
    case result
    /// A route's pattern, never a path.
    case route
    /// A rule of rules.toml, or `other`.
    case rule
    /// `2xx`, `3xx`, `4xx`, `5xx`.
    case status
    /// outbox, or cleaning of the GIN indexes' pending lists.
    case task
    /// A tenant's number, or `other`.
    case tenant
    /// tcp or http.
    case transport
    /// The daemon's.
    case version
}
