import MillraceAPI
import MillraceAccess
import MillraceEvent
import MillraceIntake
import MillraceRoutes
import MillraceTelemetry
import MillraceWriter

/// What the daemon has counted up to a moment.
struct LiveSample: Sendable {
    /// Lines of one tenant.
    struct Tenant: Sendable, Equatable {
        var accepted = 0
        var committed = 0
        var dead = 0
    }

    /// Who sends: a key, or a tenant.
    struct Sender: Sendable, Equatable {
        /// Nil: a tenant.
        var key: String?
        var name: String?
        /// Nil: all without a count of their own.
        var tenant: Int32?
        var lines: Int
    }

    var at: ContinuousClock.Instant
    var counts = LiveCounts()
    var bytesReceived = 0
    var requests = 0
    var batches = 0
    /// By code; those that there are.
    var refusals: [String: Int] = [:]
    /// Those that have a count of their own.
    var tenants: [Int32: Tenant] = [:]
    /// Some are counted together.
    var hasOtherTenants = false
    /// Keys are wanted, so that who sends is known.
    var hasKeys = false
    var senders: [Sender] = []
    /// Tenants that have a key.
    var keyTenants: Set<Int32> = []

    init(at now: ContinuousClock.Instant) {
        at = now
    }

    /// Reads every counter once.
    init(_ metrics: DaemonMetrics, _ keys: KeyRing, at now: ContinuousClock.Instant) {
        self.init(at: now)
        let (intake, writer) = (metrics.intake, metrics.writer)
        let transports = IntakeMetrics.Transport.allCases.map { intake[$0] }
        let lines = [RecordKind.event, .conversation]
        counts.received = transports.reduce(0) { $0 + $1.linesReceived.value }
        counts.accepted = lines.reduce(0) { $0 + intake.accepted($1).value }
        counts.sampledOut = lines.reduce(0) { $0 + intake.sampledOut($1).value }
        for code in RefusalCode.allCases where intake.refused(code).value > 0 {
            refusals[code.rawValue] = intake.refused(code).value
        }
        counts.refused = refusals.values.reduce(0, +)
        counts.committed = writer.events.committed.value + writer.conversations.committed.value
        counts.duplicates = writer.events.duplicates.value + writer.conversations.duplicates.value
        counts.dead = writer.events.dead.value + writer.conversations.dead.value
        counts.parked = writer.parked.value
        bytesReceived = transports.reduce(0) { $0 + $1.bytesReceived.value }
        requests = HTTPRoute.allCases.reduce(0) { sum, route in
            (1...5).reduce(sum) { $0 + intake.requests(route, statusClass: $1).value }
        }
        batches = writer.batches.value
        readTenants(intake, writer)
        readSenders(intake, keys)
    }

    private mutating func readTenants(_ intake: IntakeMetrics, _ writer: WriterMetrics) {
        let counters: [(WritableKeyPath<Tenant, Int>, TenantCounters)] = [
            (\.accepted, intake.tenants), (\.committed, writer.tenants.committed), (\.dead, writer.tenants.dead),
        ]
        for (path, counter) in counters {
            for (tenant, lines) in counter.all {
                if let tenant {
                    tenants[tenant, default: Tenant()][keyPath: path] = lines
                } else if lines > 0 {
                    hasOtherTenants = true
                }
            }
        }
    }

    private mutating func readSenders(_ intake: IntakeMetrics, _ keys: KeyRing) {
        hasKeys = keys.wantsKeys
        guard hasKeys else {
            senders = intake.tenants.all.map { Sender(tenant: $0.tenant, lines: $0.lines) }
            return
        }
        let grants = keys.grants
        keyTenants = Set(grants.map(\.tenant))
        senders = grants.map {
            Sender(key: $0.record.id, name: $0.record.name, tenant: $0.tenant, lines: $0.use.lines)
        }
    }

    /// Nobody but tenant 0 is there, as far as this run has seen.
    var isOfOneTenant: Bool {
        !hasOtherTenants && keyTenants.allSatisfy { $0 == 0 }
            && tenants.allSatisfy { $0.key == 0 || $0.value == Tenant() }
    }
}
