internal import CEpoll
internal import Glibc
internal import MillraceConsole

/// Waits for sockets and for a time, without busy waiting: epoll, edge-triggered, and a timer of the kernel, which is not
/// subject to a thread's timer slack.
struct Poller: ~Copyable {
    struct Event {
        /// As given to `add`.
        var token: Int
        var isReadable: Bool
        var isWritable: Bool
        /// The other side sends nothing more.
        var isHungUp: Bool
    }

    private static let timerToken = UInt64.max
    /// When no timer fires: a second.
    private static let timeoutMilliseconds: Int32 = 1000

    private let poller: Int32
    private let timer: Int32
    /// What the timer is set to; 0: nothing.
    private var armed: Int64 = 0
    private var ready = [mr_ready](repeating: mr_ready(), count: 256)

    init() throws(CommandError) {
        poller = mr_poller_create()
        timer = mr_timer_create()
        guard poller >= 0, timer >= 0, mr_poller_add(poller, timer, Self.timerToken) == 0 else {
            throw Self.failed("no epoll or timer could be made")
        }
    }

    deinit {
        close(timer)
        close(poller)
    }

    /// Reports every time the socket becomes readable or writable. A closed descriptor removes itself.
    func add(_ descriptor: Int32, token: Int) throws(CommandError) {
        guard mr_poller_add(poller, descriptor, UInt64(token)) == 0 else {
            throw Self.failed("a socket can't be watched")
        }
    }

    /// Waits for events, up to `deadline` (nanoseconds of the monotonic clock) or a second.
    mutating func wait(until deadline: Int64, _ body: (Event) -> Void) {
        if armed != deadline {
            mr_timer_set(timer, max(1, deadline))
            armed = deadline
        }
        let count = mr_poller_wait(poller, &ready, Int32(ready.count), Self.timeoutMilliseconds)
        for index in 0..<max(0, Int(count)) {
            let entry = ready[index]
            if entry.token == Self.timerToken {
                armed = 0
                continue
            }
            body(
                Event(
                    token: Int(entry.token), isReadable: entry.is_readable, isWritable: entry.is_writable,
                    isHungUp: entry.is_hung_up))
        }
    }

    private static func failed(_ what: String) -> CommandError {
        CommandError(
            "\(what): \(String(cString: strerror(errno)))", hint: "Raise the limit on open files (`ulimit -n`)")
    }
}

/// Nanoseconds, in 64 bits: `ContinuousClock`'s instants are too dear for every line.
enum MonotonicClock {
    static var now: Int64 { mr_monotonic_now() }

    /// Processor time of the calling thread.
    static var threadTime: Int64 { mr_thread_time() }
}
