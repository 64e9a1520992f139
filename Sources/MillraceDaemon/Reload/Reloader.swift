import Logging
import MillraceAPI
import MillraceConfiguration
import MillracePostgres
import MillraceTelemetry
import MillraceTreatment

/// Puts a changed configuration in force while the daemon runs: the one way, for SIGHUP and `POST /v1/reload`.
///
/// Enters: who asks. Leaves: a report of what was applied, what is as it was, and what wants a restart; or why nothing was.
/// Invariants:
/// 1. All or nothing: the file, and everything that it names (certificates, token keys), is read and checked before the
///    first part changes. What is wrong leaves the whole daemon as it was.
/// 2. What wants a restart keeps its value, and the new values go with it, or the reload is refused.
/// 3. One reload at a time; others wait for their turn.
actor Reloader {
    private let load: @Sendable () throws -> LoadedConfiguration
    private let resolve: @Sendable (DaemonConfiguration) -> DaemonConfiguration
    private var parts: [ReloadPart] = []
    private let audit: ReloadAudit
    private let logger: Logger
    /// In force; as loaded, not resolved.
    private var running: DaemonConfiguration
    private var isBusy = false
    private var waiters: [CheckedContinuation<Void, Never>] = []

    /// - Parameters:
    ///   - running: what the daemon was started with.
    ///   - load: reads the configuration again.
    ///   - resolve: puts in what follows from several keys, and from the start.
    init(
        running: DaemonConfiguration, audit: ReloadAudit, logger: Logger,
        load: @escaping @Sendable () throws -> LoadedConfiguration,
        resolve: @escaping @Sendable (DaemonConfiguration) -> DaemonConfiguration
    ) {
        self.running = running
        self.audit = audit
        self.logger = logger
        self.load = load
        self.resolve = resolve
    }

    /// In the order in which they are prepared and applied. To be called once, before the first reload.
    func set(_ parts: [ReloadPart]) {
        self.parts = parts
    }

    /// `actor`: who asks, for the log and the audit log. Throws `ReloadRefusal`; then everything is as it was.
    func reload(for actor: AuditActor) async throws -> ReloadReport {
        await enter()
        defer { leave() }
        do {
            let report = try await apply()
            audit.record(report, by: actor)
            logger.notice(
                "reloaded",
                metadata: [
                    .from: "\(actor.origin)", .applied: "\(report.applied.map(\.key).joined(separator: ","))",
                    .delayed: "\(report.needsRestart.map(\.key).joined(separator: ","))",
                ])
            return report
        } catch {
            let refusal = ReloadRefusal(reasons: Self.reasons(error))
            for reason in refusal.reasons {
                logger.error(
                    "not reloaded",
                    metadata: [
                        .from: "\(actor.origin)", .error: "\(reason)",
                        .hint: "everything is as it was; correct it and reload again",
                    ])
            }
            throw refusal
        }
    }

    private func apply() async throws -> ReloadReport {
        let loaded = try load()
        let difference = try loaded.difference(from: running)
        let configuration = resolve(difference.configuration)
        var prepared: [(name: String, part: ReloadPart.Prepared)] = []
        for part in parts { prepared.append((part.name, try await part.prepare(configuration))) }
        for (_, part) in prepared { await part.apply() }
        running = difference.configuration
        return ReloadReport(
            applied: difference.applied.map(Self.change), needsRestart: difference.delayed.map(Self.change),
            unchanged: difference.unchangedCount,
            parts: prepared.compactMap { name, part in part.detail.map { .init(name: name, detail: $0()) } })
    }

    private static func change(_ change: ConfigurationDifference.Change) -> ReloadReport.Change {
        ReloadReport.Change(key: change.key, old: change.old, new: change.new)
    }

    private static func reasons(_ error: any Error) -> [String] {
        if let errors = error as? ConfigurationErrors { return errors.errors.map(\.description) }
        if let errors = error as? RulesErrors { return errors.errors.map(\.description) }
        return ["\(error)"]
    }

    private func enter() async {
        if isBusy {
            await withCheckedContinuation { waiters.append($0) }
        } else {
            isBusy = true
        }
    }

    private func leave() {
        if waiters.isEmpty { isBusy = false } else { waiters.removeFirst().resume() }
    }
}
