import MillraceTestSupport

extension DaemonProcess {
    /// The sum of a metric's series that have `label`; nil when the daemon does not answer.
    func metric(_ name: String, _ label: String = "") -> Int? {
        guard let answer = try? HTTPClient.get("/metrics", at: http), answer.status == 200 else { return nil }
        let lines = answer.text.split(separator: "\n").filter {
            ($0.hasPrefix(name + " ") || $0.hasPrefix(name + "{")) && $0.contains(label)
        }
        return lines.compactMap { $0.split(separator: " ").last.flatMap { Double($0) } }.reduce(0) { $0 + Int($1) }
    }

    /// What it holds for clients, in bytes.
    var memoryUsed: Int { metric("millrace_memory_used_bytes") ?? -1 }

    /// Waits until it holds nothing; whoever held something is gone.
    func holdsNothing() -> Bool { eventually { memoryUsed == 0 } }
}
