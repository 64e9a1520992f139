internal import NIOCore

/// The one deadline of an HTTP connection. Its timer is moved only when it must come earlier; a later deadline is
/// noticed when the timer fires, so that busy connections don't pay for a timer with each request.
struct HTTPDeadline {
    enum Kind {
        /// Nothing came yet.
        case firstHead
        /// A request's headers have begun.
        case head
        /// The next look at a body's rate.
        case body
        /// Between requests.
        case idle
        /// The next look at whether the client takes its answer.
        case writing
        case linger
    }

    private(set) var kind: Kind?
    private var time = NIODeadline.distantFuture
    private var timerTime = NIODeadline.distantFuture
    private(set) var task: Scheduled<Void>?

    mutating func set(_ kind: Kind, at time: NIODeadline, schedule: (NIODeadline) -> Scheduled<Void>) {
        self.kind = kind
        self.time = time
        guard task == nil || time < timerTime else { return }
        task?.cancel()
        timerTime = time
        task = schedule(time)
    }

    mutating func clear() {
        kind = nil
    }

    /// The timer fired. Returns what is due, and then forgets it.
    mutating func fired(now: NIODeadline) -> Kind? {
        task = nil
        guard let kind, time <= now else { return nil }
        self.kind = nil
        return kind
    }

    func left(now: NIODeadline) -> Duration {
        .nanoseconds(max(0, (time - now).nanoseconds))
    }
}
