/// The labels of Millrace's metrics; where their values come from.
package enum MetricLabel: String, Sendable, CaseIterable {
    /// `RefusalCode`.
    case code
    /// `RecordKind`: event, conversation, refused; of uncommitted lines also unread.
    case kind
    /// A pack of projections.packs.
    case pack
    /// `SpoolRefusal`, `ReadRefusal`, or a class of SQLSTATE.
    case reason
    /// A route's pattern, never a path.
    case route
    /// `2xx`, `3xx`, `4xx`, `5xx`.
    case status
    /// tcp or http.
    case transport
    /// The daemon's.
    case version
}
