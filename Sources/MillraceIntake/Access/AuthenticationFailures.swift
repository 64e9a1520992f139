internal import Logging
internal import MillraceAccess
internal import MillraceTelemetry
internal import NIOCore

/// What one intake does about a failed authentication: counts it, logs it, and has its answer wait.
struct AuthenticationFailures: Sendable {
    private let access: IntakeAccess
    private let counters: IntakeMetrics.TransportCounters
    private let log: RefusalLog

    /// `interval` is asked for at each line that is written.
    init(
        _ access: IntakeAccess, _ counters: IntakeMetrics.TransportCounters,
        interval: @autoclosure @escaping @Sendable () -> TimeAmount, _ logger: Logger
    ) {
        self.access = access
        self.counters = counters
        log = RefusalLog(
            "authentication failed",
            hint: "see `millrace keys list`; millrace_intake_authentications_failed_total counts them",
            interval: interval(), logger: logger)
    }

    /// How long its answer waits; nil: too many wait, so that it gets none.
    func failed(from address: AddressUse?, peer: String) -> FailedAuthentications.Wait? {
        counters.authenticationsFailed.add(1)
        log.refused(AccessRefusal.Code.unauthenticated.rawValue, peer: peer)
        return access.authenticationFailed(from: address)
    }
}
