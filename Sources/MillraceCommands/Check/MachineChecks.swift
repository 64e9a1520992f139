internal import FoundationEssentials
internal import Glibc
internal import MillraceChannels
internal import MillraceConfiguration
internal import MillraceConsole
internal import MillraceDaemon
internal import MillraceEvent
internal import MillraceIntake
internal import MillraceSpool
internal import MillraceWriter

/// What the machine, or the cgroup that this runs in, gives: files and memory.
struct MachineChecks {
    /// Of a daemon that holds nothing for clients, apart from what config.toml says: code, connections, caches.
    private static let baseBytes = 128 << 20

    let configuration: DaemonConfiguration

    func run() -> [CheckResult] { [files, memory] }

    private var files: CheckResult {
        let plan = DescriptorPlan(configuration, limit: DescriptorLimit.hard)
        let parts =
            "\(configuration.tcp.connectionsMax) TCP and \(configuration.http.connectionsMax) HTTP connections, those that "
            + "wait or are refused, \(plan.reserve) for PostgreSQL and the spool"
        let fitted =
            plan.suffices
            ? ""
            : "; it lets in \(plan.tcp.connections) TCP and \(plan.http.connections) HTTP connections instead"
        return CheckResult(
            "open files", ok: plan.suffices,
            detail: "the daemon takes up to \(plan.needed) (\(parts)); the limit here is \(plan.limit)\(fitted)",
            fix: "Raise the hard limit (LimitNOFILE in the unit, ulimit -Hn), or lower tcp.connections_max or "
                + "http.connections_max.")
    }

    private var memory: CheckResult {
        let database = configuration.database
        let stages = configuration.spool.queueBytes + configuration.spool.groupBytes + database.batchBytes
        let needed = configuration.memory.budget + stages + database.writers * 4 * database.partBytes + Self.baseBytes
        let budget = "memory.budget \(Format.bytes(configuration.memory.budget))"
        guard let given = MemoryGiven.ofThisProcess() else {
            return CheckResult("memory", ok: true, detail: "\(budget); the machine does not say what it has", fix: "")
        }
        return CheckResult(
            "memory", ok: needed <= given.bytes,
            detail: "the daemon takes up to about \(Format.bytes(needed)) (\(budget)); \(given.origin) gives "
                + Format.bytes(given.bytes),
            fix: "Lower memory.budget, or raise MemoryMax (of the unit, the container).")
    }
}

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
