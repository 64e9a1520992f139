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

    package func raise() {
        eventfd_write(descriptor, 1)
    }

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
