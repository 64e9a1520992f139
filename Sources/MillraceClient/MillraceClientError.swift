/// Why the client could not do what it was asked: what went wrong and where, and the next step.
public struct MillraceClientError: Error, Sendable, Hashable {
    /// What kind of error it is.
    public enum Code: String, Sendable, Hashable, CaseIterable {
        /// The event's payload has no JSON form.
        case invalidEvent = "invalid_event"
        /// The client's configuration can't work: a file that can't be read, or bounds without room.
        case invalidConfiguration = "invalid_client_configuration"
        /// The daemon took the line for none of its events: see ``MillraceClientError/reason``. It is not sent again.
        case refused
        /// The buffer is full, and ``MillraceClient/Configuration/whenFull`` says not to wait.
        case bufferFull = "buffer_full"
        /// The event alone is larger than ``MillraceClient/Configuration/bufferBytesMax``.
        case eventTooLarge = "event_too_large"
        /// There was no connection, or it ended. The client tries again by itself.
        case connectionFailed = "connection_failed"
        /// TLS came to nothing: the daemon's certificate, or the client's, is not believed.
        case tlsFailed = "tls_failed"
        /// What listens there is no Millrace, or another listener of it.
        case foreignServer = "foreign_server"
        /// The daemon turned the client away, mostly for its key: see ``MillraceClientError/reason``.
        case turnedAway = "turned_away"
        /// The client ended before the daemon had answered: the event may be kept, or not. Sent again, it counts once.
        case undelivered
        /// The client takes nothing more: it is shutting down, or has ended.
        case closed = "client_closed"
    }

    /// What kind of error it is.
    public let code: Code
    /// What went wrong and where. No payloads and no keys.
    public let message: String
    /// What to do about it.
    public let hint: String
    /// The daemon's own code where it gave one, such as `invalid_user_id` or `unauthenticated`; the guide to troubleshooting
    /// has all of them.
    public let reason: String?
    /// Whether the same may succeed later without anybody's help.
    public let isRetryable: Bool

    package init(_ code: Code, _ message: String, hint: String, reason: String? = nil, isRetryable: Bool = false) {
        self.code = code
        self.message = message
        self.hint = hint
        self.reason = reason
        self.isRetryable = isRetryable
    }
}

extension MillraceClientError: CustomStringConvertible {
    /// The message and the next step.
    public var description: String { "\(code.rawValue): \(message). \(hint)" }
}
