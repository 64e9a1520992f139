import Glibc
import MillraceTestSupport

/// A blocking stream socket with limits. It takes in what the other side says while it sends, so that two sides which
/// both want to be read first never wait for each other. Used by one thread at a time.
final class StreamSocket {
    let descriptor: Int32
    /// Received and not yet taken.
    private(set) var inbox: [UInt8] = []
    private var inboxStart = 0
    /// The other side will send nothing more.
    private(set) var isEnded = false

    init(_ endpoint: Endpoint) throws {
        descriptor = socket(endpoint.family, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard endpoint.withAddress({ connect(descriptor, $0, $1) }) == 0 else {
            // The deinit closes it: every property is set.
            throw TestSupportError(message: "no connection to \(endpoint): \(String(cString: strerror(errno)))")
        }
        _ = fcntl(descriptor, F_SETFL, O_NONBLOCK)
    }

    deinit { close(descriptor) }

    /// Sends all of `bytes`; throws when the other side does not take them within `limit`.
    func send(_ bytes: [UInt8], within limit: Duration = .seconds(60)) throws {
        var offset = 0
        let end = ContinuousClock.now + limit
        while offset < bytes.count {
            let ready = try wait(for: POLLIN | POLLOUT, until: end, "sending")
            if ready & POLLIN != 0 { receive() }
            guard ready & POLLOUT != 0 else { continue }
            let count = bytes.withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress?.advanced(by: offset), $0.count - offset, Int32(MSG_NOSIGNAL))
            }
            if count > 0 { offset += count }
            if count < 0, errno != EAGAIN, errno != EINTR {
                throw TestSupportError(message: "sending failed: \(String(cString: strerror(errno)))")
            }
        }
    }

    /// True when it took bytes at once without waiting; how many the kernel took is returned. For senders that are
    /// held back.
    func sendNow(_ bytes: [UInt8]) -> Int {
        receive()
        let count = bytes.withUnsafeBytes {
            Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
        }
        return max(0, count)
    }

    /// Half-closes: nothing more comes from here.
    func finishSending() {
        shutdown(descriptor, Int32(SHUT_WR))
    }

    /// The next line without its `\n`; nil at the end of the stream.
    func line(within limit: Duration = .seconds(60)) throws -> String? {
        let end = ContinuousClock.now + limit
        while true {
            if let newline = inbox[inboxStart...].firstIndex(of: UInt8(ascii: "\n")) {
                let line = String(decoding: inbox[inboxStart..<newline], as: UTF8.self)
                consume(newline + 1 - inboxStart)
                return line
            }
            if isEnded { return nil }
            try receiveMore(until: end)
        }
    }

    /// Exactly `count` bytes.
    func bytes(_ count: Int, within limit: Duration = .seconds(60)) throws -> [UInt8] {
        let end = ContinuousClock.now + limit
        while inbox.count - inboxStart < count {
            guard !isEnded else { throw TestSupportError(message: "the stream ended \(count) bytes were wanted") }
            try receiveMore(until: end)
        }
        let taken = Array(inbox[inboxStart..<inboxStart + count])
        consume(count)
        return taken
    }

    /// All that is there now, without waiting.
    func receive() {
        var piece = [UInt8](repeating: 0, count: 1 << 16)
        while !isEnded {
            let count = recv(descriptor, &piece, piece.count, 0)
            if count > 0 {
                inbox += piece[..<count]
            } else if count == 0 || (errno != EAGAIN && errno != EINTR) {
                isEnded = true
            } else if errno == EAGAIN {
                return
            }
        }
    }

    /// True when a whole line waits.
    var hasLine: Bool { inbox[inboxStart...].contains(UInt8(ascii: "\n")) }

    private func receiveMore(until end: ContinuousClock.Instant) throws {
        _ = try wait(for: POLLIN, until: end, "receiving")
        receive()
    }

    private func consume(_ count: Int) {
        inboxStart += count
        if inboxStart == inbox.count || inboxStart > 1 << 16 {
            inbox.removeFirst(inboxStart)
            inboxStart = 0
        }
    }

    private func wait(for events: Int32, until end: ContinuousClock.Instant, _ what: String) throws -> Int32 {
        while true {
            var entry = pollfd(fd: descriptor, events: Int16(isEnded ? events & ~POLLIN : events), revents: 0)
            let count = poll(&entry, 1, 50)
            if count > 0 {
                let ready = Int32(entry.revents)
                return ready & (POLLHUP | POLLERR) != 0 ? ready | events : ready
            }
            if ContinuousClock.now >= end { throw TestSupportError(message: "\(what) took too long") }
        }
    }
}
