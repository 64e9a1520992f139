internal import FoundationEssentials
internal import Glibc

/// The memory that a process may use: the machine's, or less where one of its cgroups has a limit.
package struct MemoryGiven: Sendable, Equatable {
    package var bytes: Int
    package var origin: String

    /// nil where /proc does not say.
    package static func ofThisProcess() -> MemoryGiven? {
        let host = SystemText.read("/proc/meminfo").split(separator: "\n").first { $0.hasPrefix("MemTotal:") }
            .flatMap { $0.split(separator: " ").dropFirst().first }.flatMap { Int($0) }
        let limits = ControlGroups.ofThisProcess.compactMap { group in
            Int(SystemText.read("/sys/fs/cgroup\(group)/memory.max").filter { $0 != "\n" }).map {
                MemoryGiven(bytes: $0, origin: "memory.max of cgroup \(group.isEmpty ? "/" : group)")
            }
        }
        let all = limits + (host.map { [MemoryGiven(bytes: $0 << 10, origin: "this machine")] } ?? [])
        return all.min { $0.bytes < $1.bytes }
    }
}

/// The processors that a process may use: the machine's, or fewer where it is bound to some, or one of its cgroups has a
/// limit.
package struct CoresGiven: Sendable, Equatable {
    /// 1 or more; a part of one counts as one.
    package var count: Int
    package var origin: String

    package static func ofThisProcess() -> CoresGiven {
        let host = CoresGiven(count: max(1, bound ?? sysconf(Int32(_SC_NPROCESSORS_ONLN))), origin: "this machine")
        let limits = ControlGroups.ofThisProcess.compactMap { group in
            count(ofLimit: SystemText.read("/sys/fs/cgroup\(group)/cpu.max")).map {
                CoresGiven(count: $0, origin: "cpu.max of cgroup \(group.isEmpty ? "/" : group)")
            }
        }
        return (limits + [host]).min { $0.count < $1.count } ?? host
    }

    /// Of cpu.max: `150000 100000` is 2; nil for `max 100000`.
    static func count(ofLimit text: String) -> Int? {
        let numbers = text.split { $0 == " " || $0 == "\n" }.compactMap { Int($0) }
        guard numbers.count == 2, numbers[0] > 0, numbers[1] > 0 else { return nil }
        return max(1, (numbers[0] + numbers[1] - 1) / numbers[1])
    }

    /// Those that taskset, or a cpuset, leaves to this process.
    private static var bound: Int? {
        SystemText.read("/proc/self/status").split(separator: "\n").first { $0.hasPrefix("Cpus_allowed:") }.map {
            line in
            line.dropFirst("Cpus_allowed:".count).compactMap { $0.hexDigitValue?.nonzeroBitCount }.reduce(0, +)
        }.flatMap { $0 > 0 ? $0 : nil }
    }
}

/// cgroups of this process.
enum ControlGroups {
    static var ofThisProcess: [String] { groups(SystemText.read("/proc/self/cgroup")) }

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
}

/// Small files of the kernel.
private enum SystemText {
    /// Empty where it can't be read.
    static func read(_ path: String) -> String {
        FileManager.default.contents(atPath: path).map { String(decoding: $0, as: UTF8.self) } ?? ""
    }
}
