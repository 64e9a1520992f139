internal import Glibc

/// A shell that waits for its standard input to end, as it does when this process ends in any way, and then stops the
/// server and removes the directory. It holds none of this process's output, for whose end `swift test` waits: removing
/// hundreds of databases takes a while.
final class Reaper: Sendable {
    // SAFETY: set once in init, closed once in deinit; nothing is written to it.
    private nonisolated(unsafe) let stream: UnsafeMutablePointer<FILE>

    convenience init(directory: String) throws {
        try self.init(
            """
            pid=$(head -n 1 '\(directory)/postgres/data/postmaster.pid' 2>/dev/null)
            if [ -n "$pid" ]; then
                kill -QUIT "$pid" 2>/dev/null
                n=0
                while [ $n -lt 500 ] && kill -0 "$pid" 2>/dev/null; do n=$((n + 1)); sleep 0.02; done
            fi
            rm -rf '\(directory)'
            """)
    }

    convenience init(databasesOf server: GivenServer) throws {
        try self.init(server.dropping)
    }

    private init(_ end: String) throws {
        let script = """
            exec > /dev/null 2>&1
            trap '' INT TERM HUP
            cat
            \(end)
            """
        // "e" keeps the write end out of other children, which could outlive this process.
        guard let stream = popen(script, "we") else {
            throw TestSupportError(message: "no shell could be started: \(String(cString: strerror(errno)))")
        }
        self.stream = stream
    }

    /// Waits until all is gone.
    deinit {
        pclose(stream)
    }
}
