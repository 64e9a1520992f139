internal import CLibPQ
internal import FoundationEssentials
internal import Glibc

/// Runs one of PostgreSQL's client programs, or another one that takes long, and hands on what it says.
package enum ToolProcess {
    package struct Output: Sendable {
        /// As of `ChildProcess.Output`.
        package var status: Int32
        /// The last lines that it said, at most `linesMax`.
        package var lines: [String] = []

        package var isSuccess: Bool { status == 0 }

        /// Why it failed: the first line that says so, without the program's name, else the last one.
        package var reason: String {
            let first = lines.first { $0.contains(": error: ") || $0.contains(": fatal: ") }
            let line = first ?? lines.last ?? "status \(status)"
            guard let mark = line.firstRange(of: ": error: ") ?? line.firstRange(of: ": fatal: ") else { return line }
            return String(line[mark.upperBound...])
        }
    }

    private static let linesMax = 50
    private static let lineBytesMax = 8192
    private static let tick = Duration.milliseconds(250)

    /// Blocks until the program has ended. It ends with the calling thread, too, as does what it started, so that nothing
    /// goes on behind a command that was killed.
    ///
    /// - Parameters:
    ///   - environment: beside that of this process, without what is for Millrace alone.
    ///   - lock: as of `ChildProcess.run`: nobody takes what the program leaves for its own before it has ended.
    ///   - onLine: each line that the program says; nil four times a second, where it says nothing.
    package static func run(
        _ arguments: [String], environment: [String: String] = [:], holding lock: Int32? = nil,
        onLine: (String?) -> Void = { _ in }
    ) -> Output {
        var pipe: [Int32] = [-1, -1]
        guard pipe2(&pipe, O_CLOEXEC) == 0 else { return failure(errno) }
        defer { close(pipe[0]) }
        var identifier: pid_t = 0
        let status = ChildProcess.spawn(
            bound(arguments), environment: self.environment(adding: environment), output: pipe[1],
            lock: lock, identifier: &identifier)
        close(pipe[1])
        guard status == 0 else { return failure(status) }
        var lines: [String] = []
        read(pipe[0]) { line in
            if let line {
                if lines.count == linesMax { lines.removeFirst() }
                lines.append(line)
            }
            onLine(line)
        }
        return Output(status: ChildProcess.waitForExit(identifier), lines: lines)
    }

    private static func failure(_ code: Int32) -> Output {
        let output = ChildProcess.failure(code)
        return Output(status: output.status, lines: [output.text])
    }

    /// The kernel ends a shell with its parent, and the shell ends the program and all that it started, with which it is a
    /// process group of its own: pg_basebackup's second process, for one, would go on for ever. setpriv is part of
    /// Debian's util-linux, which is always there.
    private static func bound(_ arguments: [String]) -> [String] {
        let setpriv = "/usr/bin/setpriv"
        let script = """
            end() { trap '' TERM; kill -TERM 0; exit "$1"; }
            trap 'end 143' TERM
            "$@" &
            wait $!
            end $?
            """
        let shell = ["/bin/sh", "-c", script, "sh"] + arguments
        return access(setpriv, X_OK) == 0 ? [setpriv, "--pdeathsig", "TERM", "--"] + shell : shell
    }

    private static func environment(adding others: [String: String]) -> [String] {
        var all = ProcessInfo.processInfo.environment.filter { name, _ in
            !name.hasPrefix("MILLRACE_") && name != "DATABASE_URL" && name != "CREDENTIALS_DIRECTORY"
        }
        all.merge(others) { $1 }
        // Its messages are read.
        all["LC_ALL"] = "C.UTF-8"
        return all.map { "\($0.key)=\($0.value)" }
    }

    private static func read(_ descriptor: Int32, _ body: (String?) -> Void) {
        var line: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while true {
            var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            if poll(&entry, 1, Int32(tick.milliseconds)) == 0 {
                body(nil)
                continue
            }
            let count = Glibc.read(descriptor, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { break }
            for byte in buffer[..<count] {
                if byte == UInt8(ascii: "\n") {
                    body(String(decoding: line, as: UTF8.self))
                    line = []
                } else if line.count < lineBytesMax {
                    line.append(byte)
                }
            }
        }
        if !line.isEmpty { body(String(decoding: line, as: UTF8.self)) }
    }
}
