internal import CLibPQ
internal import Glibc

/// Ends every wait of the connections it was given to, with `.interrupted`: at shutdown, from any thread.
///
/// Stays raised until `reset()`; a connection that was interrupted amid a statement is not usable again.
package final class PostgresInterrupt: Sendable {
    /// An eventfd, readable while raised. -1 when the process had no descriptor left: then waits end by deadline only.
    let descriptor: Int32

    package init() {
        descriptor = eventfd(0, Int32(EFD_CLOEXEC | EFD_NONBLOCK))
    }

    deinit {
        if descriptor >= 0 { close(descriptor) }
    }

    /// Ends the waits, from any thread, and those that begin before `reset()`.
    package func raise() {
        eventfd_write(descriptor, 1)
    }

    /// Lets waits last again.
    package func reset() {
        var count: eventfd_t = 0
        eventfd_read(descriptor, &count)
    }

    package var isRaised: Bool {
        var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        return descriptor >= 0 && poll(&entry, 1, 0) > 0
    }

    /// Blocks for `duration`, as between two tries. Throws `.interrupted` as soon as this is raised.
    package func pause(for duration: Duration) throws(PostgresError) {
        let deadline = Deadline(after: duration)
        repeat {
            var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            if poll(&entry, 1, deadline.millisecondsLeft) > 0 { throw .interrupted("the pause") }
        } while !deadline.isOver
    }
}

/// The end of what an operation may take.
struct Deadline {
    private let instant: ContinuousClock.Instant

    init(after timeout: Duration) {
        instant = ContinuousClock.now.advanced(by: timeout)
    }

    /// What `poll` takes: milliseconds left, rounded up, 0 when over.
    var millisecondsLeft: Int32 {
        let (seconds, attoseconds) = (instant - ContinuousClock.now).components
        guard seconds >= 0, attoseconds >= 0 else { return 0 }
        let milliseconds = seconds.multipliedReportingOverflow(by: 1000)
        guard !milliseconds.overflow else { return .max }
        return Int32(clamping: milliseconds.partialValue + attoseconds / 1_000_000_000_000_000 + 1)
    }

    var isOver: Bool { instant <= ContinuousClock.now }
}

extension Duration {
    /// For the server's settings in milliseconds; rounded down, at least 1, because 0 means no limit there.
    var milliseconds: Int64 {
        max(1, components.seconds * 1000 + components.attoseconds / 1_000_000_000_000_000)
    }
}
