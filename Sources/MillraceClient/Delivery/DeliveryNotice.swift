/// What the state machine has to tell those who wait. A ticket is the number of a call that waits.
enum DeliveryNotice: Equatable, Sendable {
    /// To `send`: the daemon has the event.
    case settled(ticket: Int, MillraceClient.Receipt)
    /// To `enqueue`: the buffer has the event.
    case admitted(ticket: Int)
    /// To `flush`: what was enqueued before it is answered.
    case flushed(ticket: Int, MillraceClient.FlushReport)
    /// To any of them.
    case failed(ticket: Int, MillraceClientError)
    /// To the app: an enqueued event was refused.
    case refused(MillraceClient.Refusal)
    /// To the log: the daemon reads no faster than the key's rate allows.
    case limited(String)
}
