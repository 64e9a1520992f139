/// Once this process has ended in any way, stops the server and removes the directory: removing hundreds of databases takes a
/// while.
final class Reaper: Sendable {
    /// Ends with the object, when all is gone.
    private let shell: ExitShell

    init(directory: String) throws {
        shell = try ExitShell(
            """
            cat
            pid=$(head -n 1 '\(directory)/postgres/data/postmaster.pid' 2>/dev/null)
            if [ -n "$pid" ]; then
                kill -QUIT "$pid" 2>/dev/null
                n=0
                while [ $n -lt 500 ] && kill -0 "$pid" 2>/dev/null; do n=$((n + 1)); sleep 0.02; done
            fi
            rm -rf '\(directory)'
            """)
    }

    init(databasesOf server: GivenServer) throws {
        shell = try ExitShell("cat\n\(server.dropping)")
    }
}
