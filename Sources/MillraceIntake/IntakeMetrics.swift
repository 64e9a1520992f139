package import MillraceEvent
package import MillraceRoutes
package import MillraceTelemetry

/// What the intake counts. Read by the daemon's exporter; every tag set is closed.
package final class IntakeMetrics: Sendable {
    package enum Transport: Int, Sendable, CaseIterable, CustomStringConvertible {
        case tcp, http

        package var description: String { self == .tcp ? "tcp" : "http" }
    }

    /// Counters of one transport. A class, so that reaching one of them counts one reference and not all.
    package final class TransportCounters: Sendable {
        /// Connections open now.
        package let connectionsOpen = MetricCounter()
        package let connectionsAccepted = MetricCounter()
        /// Connections over `connections_max`, closed at once.
        package let connectionsRefused = MetricCounter()
        /// Connections closed for their refused lines.
        package let connectionsClosed = MetricCounter()
        /// Requests, or connections over TCP, without a key (or a token) in force.
        package let authenticationsFailed = MetricCounter()
        /// Requests and connections that a limit of their key or address refused, and TCP connections whose reading it held
        /// back, once each.
        package let rateLimited = MetricCounter()
        /// Bytes read from sockets (HTTP: of bodies, as they came).
        package let bytesReceived = MetricCounter()
        /// Lines, or items of bodies, that were looked at.
        package let linesReceived = MetricCounter()
        /// Refused lines of a burst that were not kept.
        package let linesNotKept = MetricCounter()
        /// Lines of connections without acks that were dropped because the daemon stopped while the spool refused them.
        package let linesAbandoned = MetricCounter()
        /// TLS handshakes that were done.
        package let handshakes = MetricCounter()
        private let handshakeFailures = TLSFailure.allCases.map { _ in MetricCounter() }

        init() {}

        /// TLS connections that ended before their handshake did.
        package func handshakeFailures(_ failure: TLSFailure) -> MetricCounter {
            handshakeFailures[TLSFailure.allCases.firstIndex(of: failure) ?? 0]
        }
    }

    private let transports = Transport.allCases.map { _ in TransportCounters() }
    private let accepted = RecordKind.allCases.map { _ in MetricCounter() }
    private let sampledOut = RecordKind.allCases.map { _ in MetricCounter() }
    private let refused = RefusalCode.allCases.map { _ in MetricCounter() }
    private let fields = FieldAction.allCases.map { _ in MetricCounter() }
    private let requests = HTTPRoute.allCases.map { _ in (0..<5).map { _ in MetricCounter() } }

    /// Lines that are durable, by tenant.
    package let tenants: TenantCounters

    /// Told how long each request took, from its head to the end of its answer, on its event loop.
    package let onRequest: @Sendable (_ route: HTTPRoute, _ microseconds: Int64) -> Void

    package init(
        tenants: TenantCounters = TenantCounters(.tenantLinesAccepted, tenantsMax: 1, in: nil),
        onRequest: @escaping @Sendable (HTTPRoute, Int64) -> Void = { _, _ in }
    ) {
        self.tenants = tenants
        self.onRequest = onRequest
    }

    /// The counters of one transport: the same object at each call.
    package subscript(transport: Transport) -> TransportCounters { transports[transport.rawValue] }

    /// Lines that are durable, by kind.
    package func accepted(_ kind: RecordKind) -> MetricCounter { accepted[Int(kind.rawValue) - 1] }

    /// Lines that count as accepted and that a rule keeps nowhere, by kind.
    package func sampledOut(_ kind: RecordKind) -> MetricCounter { sampledOut[Int(kind.rawValue) - 1] }

    /// Lines refused, by code.
    package func refused(_ code: RefusalCode) -> MetricCounter {
        refused[RefusalCode.allCases.firstIndex(of: code) ?? 0]
    }

    /// Values of `[fields]` that were treated, by what was done.
    package func fields(_ action: FieldAction) -> MetricCounter {
        fields[FieldAction.allCases.firstIndex(of: action) ?? 0]
    }

    /// Counts what was treated of one line.
    package func count(_ treated: FieldCounts) {
        for action in FieldAction.allCases where treated[action] > 0 { fields(action).add(treated[action]) }
    }

    /// Requests answered, by route and class of status (2 for 2xx …).
    package func requests(_ route: HTTPRoute, statusClass: Int) -> MetricCounter {
        requests[route.rawValue][max(1, min(5, statusClass)) - 1]
    }

    /// Counts lines that are durable.
    package func countAccepted(_ kind: RecordKind, _ count: Int, tenant: Int32) {
        accepted(kind).add(count)
        tenants.add(count, tenant: tenant)
    }
}
