internal import Glibc
internal import MillraceConsole
internal import MillraceDaemon
internal import MillraceThreads
internal import Synchronization

/// The shell around `MCPStateMachine`: reads standard input on the calling thread, calls tools on threads of their own, and
/// writes whole lines.
final class MCPServer: Sendable {
    private static let readBytesMax = 64 << 10

    private let caller: MCPCaller
    /// Held while a line is written, so that lines stay whole.
    private let machine = Mutex(MCPStateMachine(serverVersion: Version.description))

    init(caller: MCPCaller) {
        self.caller = caller
    }

    /// Returns at the end of standard input, at once: nobody would read what is still to come. Throws when it can't be read.
    func run() throws(CommandError) {
        var lines = MCPLines()
        var chunk = [UInt8](repeating: 0, count: Self.readBytesMax)
        while true {
            let count = chunk.withUnsafeMutableBytes { read(STDIN_FILENO, $0.baseAddress, $0.count) }
            if count == 0 { return }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else {
                throw CommandError(
                    "standard input can't be read: \(String(cString: strerror(errno)))",
                    hint: "An assistant starts this command, and speaks with it over a pipe")
            }
            for piece in lines.take(chunk[..<count]) {
                switch piece {
                case .line(let line): perform { $0.received(line) }
                case .tooLong: perform { $0.lineTooLong() }
                }
            }
        }
    }

    private func perform(_ event: (inout MCPStateMachine) -> [MCPStateMachine.Action]) {
        let calls = machine.withLock { machine in
            event(&machine).compactMap { action -> MCPStateMachine.Call? in
                switch action {
                case .call(let call): return call
                case .write(let line):
                    Self.write(line + [UInt8(ascii: "\n")])
                    return nil
                }
            }
        }
        for call in calls {
            DetachedThread.start(named: "mcp-call") { [self] in
                let outcome = caller.outcome(of: call)
                perform { $0.finished(call.number, outcome) }
            }
        }
    }

    private static func write(_ bytes: [UInt8]) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(STDOUT_FILENO, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            // Nobody reads any more: the input ends, too.
            guard count > 0 else { return }
            rest = rest.dropFirst(count)
        }
    }
}
