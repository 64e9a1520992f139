internal import CLibPQ
internal import Glibc

/// A shell that reads its standard input until that ends, as it does when this process ends in any way, and then does what is
/// left to do. It has nothing else of this process open: another test's socket would never close while there is a shell,
/// and `swift test` waits for the end of the output.
package final class ExitShell: Sendable {
    private let input: Int32
    private let pid: pid_t

    /// `script`: reads all of its input first.
    package init(_ script: String) throws {
        var ends: [Int32] = [-1, -1]
        guard pipe2(&ends, O_CLOEXEC) == 0 else { throw Self.failure(errno) }
        defer { close(ends[0]) }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, ends[0], STDIN_FILENO)
        for output in [STDOUT_FILENO, STDERR_FILENO] {
            posix_spawn_file_actions_addopen(&actions, output, "/dev/null", O_WRONLY, 0)
        }
        posix_spawn_file_actions_addclosefrom_np(&actions, 3)
        let arguments = ["sh", "-c", "trap '' INT TERM HUP\n\(script)"]
        let argv = arguments.map { strdup($0) } + [nil]
        defer { for pointer in argv { free(pointer) } }
        var pid = pid_t()
        let status = posix_spawn(&pid, "/bin/sh", &actions, nil, argv, environ)
        guard status == 0 else {
            close(ends[1])
            throw Self.failure(status)
        }
        self.pid = pid
        input = ends[1]
    }

    /// A short line for its input.
    package func write(_ line: String) {
        let bytes = Array((line + "\n").utf8)
        _ = Glibc.write(input, bytes, bytes.count)
    }

    /// Waits until all is done.
    deinit {
        close(input)
        waitpid(pid, nil, 0)
    }

    private static func failure(_ number: Int32) -> TestSupportError {
        TestSupportError(message: "no shell could be started: \(String(cString: strerror(number)))")
    }
}
