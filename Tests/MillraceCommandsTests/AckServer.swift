import Glibc
import MillraceTestSupport
import Synchronization

@testable import MillraceCommands
@testable import MillraceConsole

/// Speaks the daemon's side of the line protocol on a Unix socket, and cuts connections at random points: before the
/// greeting's answer, amid lines, between a line's durability and its ack, amid an ack's bytes.
final class AckServer: Sendable {
    struct Log {
        /// Every line as it came, over all connections.
        var received: [String] = []
        /// Index of the input line that each connection began with.
        var starts: [Int] = []
        /// Lines of the input whose ack was written, at the start of each connection.
        var ackedAtStart: [Int] = []
        var acked = 0
        var cuts = 0
    }

    let endpoint: Endpoint
    private let listener: Int32
    private let log = Mutex(Log())
    private let directory: ScratchDirectory
    private let lines: [String]
    private let cutsMax: Int
    private let seed: UInt64
    private let thread = Mutex<BackgroundThread?>(nil)

    /// `lines`: what will be sent. A line with `bad` in it is refused. After `cutsMax` cuts it behaves.
    init(lines: [String], cutsMax: Int, seed: UInt64) throws {
        directory = try ScratchDirectory()
        let path = directory.path + "/ack.sock"
        endpoint = .unix(path: path)
        self.lines = lines
        self.cutsMax = cutsMax
        self.seed = seed
        listener = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: Array(path.utf8)) }
        let status = withUnsafePointer(to: &address) { pointer in
            bind(
                listener, UnsafeRawPointer(pointer).assumingMemoryBound(to: sockaddr.self),
                socklen_t(MemoryLayout<sockaddr_un>.size))
        }
        guard status == 0, listen(listener, 16) == 0 else {
            throw CommandError("the test's server can't listen on \(path)", hint: "See TMPDIR")
        }
    }

    func start() {
        thread.withLock { $0 = BackgroundThread { self.serve() } }
    }

    /// Ends the server and tells what it saw.
    func finish() throws -> Log {
        shutdown(listener, Int32(SHUT_RDWR))
        try thread.withLock { $0 }?.join()
        close(listener)
        return log.withLock { $0 }
    }

    private func serve() {
        var generator = SeededGenerator(seed: seed)
        while true {
            let client = accept(listener, nil, nil)
            guard client >= 0 else { return }
            converse(client, &generator)
            close(client)
        }
    }

    private func converse(_ client: Int32, _ generator: inout SeededGenerator) {
        var pending: [UInt8] = []
        guard let hello = readLine(client, &pending), hello.hasPrefix("{\"hello\":") else { return }
        if cuts(1, in: 10, &generator) { return }
        write(client, "{\"hello\":{\"server\":\"millrace\",\"version\":\"1.0\"}}\n")
        let base = log.withLock { $0.acked }
        var count = 0
        var start: Int?
        while let line = readLine(client, &pending) {
            count += 1
            let first = start ?? lines.firstIndex(of: line) ?? -1
            if start == nil {
                start = first
                log.withLock { log in
                    log.starts.append(first)
                    log.ackedAtStart.append(base)
                }
            }
            log.withLock { $0.received.append(line) }
            if line.contains("bad") {
                write(client, "{\"line\":\(count),\"error\":{\"code\":\"invalid_json\",\"message\":\"bad\"}}\n")
            }
            if cuts(1, in: 60, &generator) { return }
            if Int.random(in: 0..<7, using: &generator) > 0, first + count < lines.count { continue }
            if cuts(1, in: 20, &generator) {
                write(client, "{\"ack\":")
                return
            }
            log.withLock { $0.acked = max($0.acked, first + count) }
            write(client, "{\"ack\":\(count)}\n")
        }
    }

    private func cuts(_ part: Int, in whole: Int, _ generator: inout SeededGenerator) -> Bool {
        guard Int.random(in: 0..<whole, using: &generator) < part else { return false }
        return log.withLock { log in
            guard log.cuts < cutsMax else { return false }
            log.cuts += 1
            return true
        }
    }

    private func readLine(_ client: Int32, _ pending: inout [UInt8]) -> String? {
        while true {
            if let ending = pending.firstIndex(of: UInt8(ascii: "\n")) {
                let line = String(decoding: pending[..<ending], as: UTF8.self)
                pending.removeFirst(ending + 1)
                return line
            }
            var chunk = [UInt8](repeating: 0, count: 777)
            let count = recv(client, &chunk, chunk.count, 0)
            guard count > 0 else { return nil }
            pending += chunk[..<count]
        }
    }

    private func write(_ client: Int32, _ text: String) {
        let bytes = Array(text.utf8)
        _ = send(client, bytes, bytes.count, Int32(MSG_NOSIGNAL))
    }
}
