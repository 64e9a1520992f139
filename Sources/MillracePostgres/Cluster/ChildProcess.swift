internal import CLibPQ
internal import Glibc

/// Runs a program to its end and takes what it prints.
package enum ChildProcess {
    package struct Output {
        /// The exit status; 128 + signal for a program that was killed, 127 for one that was not found.
        package var status: Int32
        /// Standard output and standard error, in order.
        package var text: String

        /// The last line with something on it: where programs say why.
        package var lastLine: String {
            text.split(separator: "\n").last.map { String($0) } ?? "status \(status)"
        }
    }

    /// Blocks up to `timeout`, then kills the program and what it started in its process group.
    ///
    /// The child gets no descriptor of this process beyond its own three and `lock`: a server that outlives the daemon must
    /// not keep the daemon's locks. It gets none of the `PG…` environment either.
    ///
    /// - Parameters:
    ///   - environment: all that it gets, each `NAME=value`.
    ///   - lock: a locked file, which the program holds with us: where we are killed, the lock stays until it has ended.
    ///   - interrupt: ends the program, too, when it is raised.
    package static func run(
        _ arguments: [String], environment: [String] = plainEnvironment, holding lock: Int32? = nil, timeout: Duration,
        interrupt: PostgresInterrupt? = nil
    ) -> Output {
        var pipe: [Int32] = [-1, -1]
        guard pipe2(&pipe, O_CLOEXEC) == 0 else { return failure(errno) }
        defer { close(pipe[0]) }
        var identifier: pid_t = 0
        let status = spawn(
            arguments, environment: environment, output: pipe[1], lock: lock, identifier: &identifier)
        close(pipe[1])
        guard status == 0 else { return failure(status) }
        let (bytes, isWhole) = read(pipe[0], until: Deadline(after: timeout), interrupt)
        if !isWhole { kill(-identifier, SIGKILL) }
        return Output(status: waitForExit(identifier), text: String(decoding: bytes, as: UTF8.self))
    }

    static func failure(_ code: Int32) -> Output {
        Output(status: 127, text: String(cString: strerror(code)))
    }

    /// Blocks until the child has ended: its exit status, or 128 + signal.
    static func waitForExit(_ identifier: pid_t) -> Int32 {
        var result: Int32 = 0
        while waitpid(identifier, &result, 0) < 0, errno == EINTR {}
        let signal = result & 0x7F
        return signal == 0 ? (result >> 8) & 0xFF : 128 + signal
    }

    /// A path to look programs up in, and English.
    package static let plainEnvironment = [
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8",
    ]

    /// `environment` and `lock`: as of `run`.
    static func spawn(
        _ arguments: [String], environment: [String], output: Int32, lock: Int32?, identifier: inout pid_t
    ) -> Int32 {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_adddup2(&actions, output, 1)
        posix_spawn_file_actions_adddup2(&actions, output, 2)
        if let lock { posix_spawn_file_actions_adddup2(&actions, lock, 3) }
        posix_spawn_file_actions_addclosefrom_np(&actions, lock == nil ? 3 : 4)
        // The user the program runs as may not be able to enter the directory we stand in.
        posix_spawn_file_actions_addchdir_np(&actions, "/")

        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var signals = sigset_t()
        sigemptyset(&signals)
        posix_spawnattr_setsigmask(&attributes, &signals)
        sigfillset(&signals)
        posix_spawnattr_setsigdefault(&attributes, &signals)
        posix_spawnattr_setpgroup(&attributes, 0)
        let flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | Int32(POSIX_SPAWN_SETPGROUP)
        posix_spawnattr_setflags(&attributes, Int16(flags))

        let argumentPointers = arguments.map { strdup($0) } + [nil]
        let environmentPointers = environment.map { strdup($0) } + [nil]
        defer { for pointer in argumentPointers + environmentPointers { free(pointer) } }
        return posix_spawnp(
            &identifier, arguments[0], &actions, &attributes, argumentPointers, environmentPointers)
    }

    /// Reads to the end of the stream; false when time ran out before, or `interrupt` was raised.
    private static func read(
        _ descriptor: Int32, until deadline: Deadline, _ interrupt: PostgresInterrupt?
    ) -> ([UInt8], isWhole: Bool) {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while true {
            var entries = [descriptor, interrupt?.descriptor ?? -1].map {
                pollfd(fd: $0, events: Int16(POLLIN), revents: 0)
            }
            if poll(&entries, 2, deadline.millisecondsLeft) <= 0 {
                if deadline.isOver { return (bytes, false) }
                continue
            }
            if entries[1].revents != 0 { return (bytes, false) }
            let count = Glibc.read(descriptor, &buffer, buffer.count)
            if count > 0 { bytes.append(contentsOf: buffer[..<count]) }
            if count == 0 || (count < 0 && errno != EINTR) { return (bytes, true) }
        }
    }
}
