import FoundationEssentials
import Glibc
import MillraceTestSupport

/// `millrace mcp`, spoken with a line at a time.
final class MCPProcess {
    private let scratch: ScratchDirectory
    private let process: SpawnedProcess
    private var input: Int32
    private var readCount = 0

    init(_ arguments: [String], environment: [String: String] = [:]) throws {
        scratch = try ScratchDirectory()
        let pipe = scratch.path + "/in"
        guard mkfifo(pipe, 0o600) == 0 else { throw TestSupportError(message: "no fifo") }
        // Both ends, so that neither side waits for the other to open it; the child has its own.
        input = open(pipe, O_RDWR | O_CLOEXEC)
        process = try SpawnedProcess(
            MillraceBinary.path, ["mcp"] + arguments, environment: environment, mark: scratch.path, input: pipe,
            output: scratch.path + "/out", errors: scratch.path + "/err")
        let writer = open(pipe, O_WRONLY | O_CLOEXEC)
        close(input)
        input = writer
    }

    deinit { if input >= 0 { close(input) } }

    /// All that it wrote.
    var output: String { TextFile.read(scratch.path + "/out") }
    var errors: String { TextFile.read(scratch.path + "/err") }

    func send(_ line: String) {
        let bytes = Array(line.utf8) + [UInt8(ascii: "\n")]
        _ = bytes.withUnsafeBytes { write(input, $0.baseAddress, $0.count) }
    }

    /// The next line that it wrote.
    func receive(within limit: Duration = .seconds(60)) throws -> String {
        var lines: [Substring] = []
        let isThere = eventually(within: limit) {
            lines = output.split(separator: "\n")
            return lines.count > readCount && output.hasSuffix("\n") || !process.isRunning
        }
        guard isThere, lines.count > readCount else { throw TestSupportError(message: "no answer: \(errors)") }
        readCount += 1
        return String(lines[readCount - 1])
    }

    func ask(_ line: String) throws -> String {
        send(line)
        return try receive()
    }

    /// Ends its input, and waits for it.
    func finish(within limit: Duration = .seconds(20)) throws -> SpawnedProcess.Exit {
        close(input)
        input = -1
        return try process.waitForExit(within: limit)
    }
}
