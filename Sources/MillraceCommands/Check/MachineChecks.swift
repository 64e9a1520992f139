internal import MillraceChannels
internal import MillraceConfiguration
internal import MillraceConsole
internal import MillraceDaemon
internal import MillraceEvent
internal import MillraceIntake
internal import MillracePostgres
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
