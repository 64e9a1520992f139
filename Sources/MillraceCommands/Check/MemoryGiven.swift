internal import FoundationEssentials

/// The memory that a process may use: the machine's, or less where one of its cgroups has a limit.
struct MemoryGiven: Equatable {
    var bytes: Int
    var origin: String

    /// nil where /proc does not say.
    static func ofThisProcess() -> MemoryGiven? {
        let host = text("/proc/meminfo").split(separator: "\n").first { $0.hasPrefix("MemTotal:") }
            .flatMap { $0.split(separator: " ").dropFirst().first }.flatMap { Int($0) }
        let limits = groups(text("/proc/self/cgroup")).compactMap { group in
            Int(text("/sys/fs/cgroup\(group)/memory.max").filter { $0 != "\n" }).map {
                MemoryGiven(bytes: $0, origin: "memory.max of cgroup \(group.isEmpty ? "/" : group)")
            }
        }
        let all = limits + (host.map { [MemoryGiven(bytes: $0 << 10, origin: "this machine")] } ?? [])
        return all.min { $0.bytes < $1.bytes }
    }

    /// The process's cgroup and those above it, from cgroup2's line (`0::/system.slice/millrace.service`).
    static func groups(_ lines: String) -> [String] {
        guard let line = lines.split(separator: "\n").first(where: { $0.hasPrefix("0::/") }) else { return [] }
        var path = String(line.dropFirst("0::".count))
        if path == "/" { path = "" }
        var groups = [path]
        while let slash = path.lastIndex(of: "/") {
            path = String(path[..<slash])
            groups.append(path)
        }
        return groups
    }

    private static func text(_ path: String) -> String {
        (FileManager.default.contents(atPath: path)).map { String(decoding: $0, as: UTF8.self) } ?? ""
    }
}
