/// An event as a client sent it, texts unescaped.
package struct AnalyticsEvent: Sendable, Equatable {
    /// Nil when the client gave none; the writer derives it from the spool's id and the sequence.
    package var id: UniqueID?
    package var eventType: String
    package var userID: UniqueID?
    /// The JSON text as it came.
    package var payload: String
    /// Given, or from a UUIDv7 id, or else the time received.
    package var createdAt: Timestamp
    /// False when `createdAt` is only the time received.
    package var isTimeKnown: Bool
}
