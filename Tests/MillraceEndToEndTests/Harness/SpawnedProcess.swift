import CLibPQ
import Glibc
import MillraceTestSupport
import Synchronization

/// A child process whose output goes to files. Killed with the object, and with this process however it ends.
final class SpawnedProcess: Sendable {
    enum Exit: Equatable, Sendable {
        case status(Int32)
        case signal(Int32)
    }

    let pid: pid_t
    private let exit = Mutex<Exit?>(nil)

    /// `environment`: added to this process's own. `mark`: a word of `arguments` that tells this process from a later
    /// one with the same pid.
    init(
        _ executable: String, _ arguments: [String], environment: [String: String] = [:], mark: String,
        input: String = "/dev/null", output: String, errors: String
    ) throws {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, input, O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, output, O_WRONLY | O_CREAT | O_APPEND, 0o644)
        posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, errors, O_WRONLY | O_CREAT | O_APPEND, 0o644)
        // What another test has open at this moment is not this one's: it would hold a socket, or a removed file's room.
        posix_spawn_file_actions_addclosefrom_np(&actions, 3)

        var argv = ([executable] + arguments).map { strdup($0) } + [nil]
        var envp = Self.environment(adding: environment).map { strdup($0) } + [nil]
        defer { for pointer in argv + envp { free(pointer) } }
        var pid = pid_t()
        let result = posix_spawn(&pid, executable, &actions, nil, &argv, &envp)
        guard result == 0 else {
            throw TestSupportError(message: "\(executable) does not start: \(String(cString: strerror(result)))")
        }
        self.pid = pid
        ProcessReaper.shared?.watch(pid, mark: mark)
    }

    deinit {
        if isRunning {
            kill(pid, SIGKILL)
            _ = collect(options: 0)
        }
    }

    var isRunning: Bool { collect(options: WNOHANG) == nil }

    func signal(_ number: Int32) {
        if isRunning { kill(pid, number) }
    }

    /// How it ended; throws when it does not within `limit`.
    @discardableResult
    func waitForExit(within limit: Duration) throws -> Exit {
        guard eventually(within: limit, { !isRunning }), let exit = exit.withLock({ $0 }) else {
            throw TestSupportError(message: "process \(pid) did not end within \(limit)")
        }
        return exit
    }

    /// Of `/proc/PID/status`, such as VmRSS and VmHWM, in bytes; 0 once it is gone.
    func memoryBytes(_ field: String) -> Int {
        let line = TextFile.read("/proc/\(pid)/status").split(separator: "\n").first { $0.hasPrefix(field + ":") }
        return (line?.split(whereSeparator: { $0 == " " || $0 == "\t" }).dropFirst().first).flatMap { Int($0) }
            .map { $0 * 1024 } ?? 0
    }

    private func collect(options: Int32) -> Exit? {
        exit.withLock { exit in
            if let exit { return exit }
            var status: Int32 = 0
            guard waitpid(pid, &status, options) == pid else { return nil }
            let number = status & 0x7F
            exit = number == 0 ? .status((status >> 8) & 0xFF) : .signal(number)
            return exit
        }
    }

    private static func environment(adding new: [String: String]) -> [String] {
        var list: [String] = []
        var pointer = environ
        while let entry = pointer.pointee {
            let text = String(cString: entry)
            // Settings for the tests are not meant for the program under test.
            let isForeign = text.hasPrefix("MILLRACE_") || text.hasPrefix("NOTIFY_SOCKET=") || text.hasPrefix("PG")
            let isReplaced = new.keys.contains(String(text.prefix { $0 != "=" }))
            if !isForeign && !isReplaced { list.append(text) }
            pointer += 1
        }
        return list + new.map { "\($0.key)=\($0.value)" }
    }
}

/// Once this process has ended in any way, kills what it started and left running.
private final class ProcessReaper: Sendable {
    static let shared = try? ProcessReaper()

    private let shell: ExitShell

    private init() throws {
        shell = try ExitShell(
            """
            list=''
            while read -r pid mark; do list="$list $pid:$mark"; done
            for entry in $list; do
                grep -qsF -- "${entry#*:}" "/proc/${entry%%:*}/cmdline" && kill -9 "${entry%%:*}"
            done
            """)
    }

    /// `mark`: a part of the command line, without white space.
    func watch(_ pid: pid_t, mark: String) { shell.write("\(pid) \(mark)") }
}
