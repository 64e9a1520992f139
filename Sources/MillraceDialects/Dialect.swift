/// What an SDK speaks when only its host was changed.
package enum Dialect: Sendable {
    /// Segment's and RudderStack's SDKs.
    case segment
    /// PostHog's SDKs as most speak: `/batch` and its likes.
    case postHog
    /// PostHog's SDKs that want a verdict on each event: `/i/v1/analytics/events`.
    case postHogV1
    /// CloudEvents 1.0 over HTTP.
    case cloudEvents
    /// A picture that a page shows: its query is the event.
    case pixel
    /// Log records of OpenTelemetry, as OTLP/HTTP has them.
    case openTelemetry

    /// Refused messages are kept in `dead_letters`, since their sender can't be told of one among others.
    package var keepsRefused: Bool { self == .segment || self == .postHog || self == .pixel }
}
