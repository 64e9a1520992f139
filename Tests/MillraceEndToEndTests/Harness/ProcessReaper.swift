import Glibc

/// A shell that waits until this process ends in any way, and then kills what it started and left running.
final class ProcessReaper: Sendable {
    static let shared = ProcessReaper()

    // SAFETY: set once in init; a FILE locks itself while a line is written.
    private nonisolated(unsafe) let stream: UnsafeMutablePointer<FILE>

    private init?() {
        let script = """
            trap '' INT TERM HUP
            list=''
            while read -r pid mark; do list="$list $pid:$mark"; done
            for entry in $list; do
                grep -qsF -- "${entry#*:}" "/proc/${entry%%:*}/cmdline" && kill -9 "${entry%%:*}"
            done
            """
        guard let stream = popen(script, "we") else { return nil }
        self.stream = stream
    }

    /// `mark`: a part of the command line, without white space.
    func watch(_ pid: pid_t, mark: String) {
        fputs("\(pid) \(mark)\n", stream)
        fflush(stream)
    }
}
