import Glibc
import MillraceTestSupport
import Synchronization

/// A client that sends its lines until each is acknowledged, over as many connections as that takes.
final class ChaosSender: Sendable {
    enum Way: Sendable {
        /// `acks` of the greeting.
        case tcp(acks: String)
        case http
    }

    let events: any LineSource
    private let way: Way
    private let daemon: DaemonProcess
    private let ackedCount = Atomic<Int>(0)
    private let failure = Mutex<String?>(nil)

    init(_ way: Way, events: any LineSource, daemon: DaemonProcess) {
        self.way = way
        self.events = events
        self.daemon = daemon
    }

    /// The first so many lines are acknowledged.
    var acked: Int { ackedCount.load(ordering: .acquiring) }

    /// An answer that must never come, such as a refusal of a good line.
    var fault: String? { failure.withLock { $0 } }

    /// Sends lines until the first `target` are acknowledged; throws when that takes longer than `limit`.
    func send(upTo target: Int, within limit: Duration) throws {
        var last = "nothing was tried"
        let isDone = eventually(within: limit) {
            do {
                switch way {
                case .tcp(let acks): try sendLines(upTo: target, acks: acks)
                case .http: try post(upTo: target)
                }
            } catch {
                last = "\(error)"
            }
            return acked >= target || fault != nil
        }
        guard isDone else {
            throw TestSupportError(message: "\(acked) of \(target) lines acked within \(limit); \(last)")
        }
    }

    private func sendLines(upTo target: Int, acks: String) throws {
        let client = try TCPClient(daemon.tcp, acks: acks)
        let base = acked
        var next = base
        while acked < target {
            // Some lines on their way without an ack, as a client would have.
            if next < target, next - acked < 400 {
                let end = min(next + 37, target)
                try client.send(events.lines(next..<end))
                next = end
                try client.takeMessages()
            } else {
                try client.waitForAck(client.acked + 1)
            }
            if let refusal = client.refusals.first { failure.withLock { $0 = "refused: \(refusal)" } }
            ackedCount.store(base + client.acked, ordering: .releasing)
        }
    }

    private func post(upTo target: Int) throws {
        let client = HTTPClient(daemon.http)
        while acked < target {
            let end = min(acked + 50, target)
            let waitsForCommit = acked % 3 == 0
            let response = try client.postEvents(
                events.lines(acked..<end), query: waitsForCommit ? "?ack=committed" : "", within: .seconds(60))
            switch response.status {
            case 200, 202:
                let answer = try response.json
                guard answer.accepted == end - acked else {
                    failure.withLock { $0 = response.text }
                    return
                }
                ackedCount.store(end, ordering: .releasing)
            case 503: throw UnexpectedAnswer(text: response.text)
            default:
                failure.withLock { $0 = "\(response.status) \(response.text)" }
                return
            }
        }
    }
}
