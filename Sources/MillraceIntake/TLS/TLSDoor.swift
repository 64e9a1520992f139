internal import Logging
internal import MillraceTelemetry
internal import NIOCore

/// What all connections of one intake's TLS listeners share until their handshakes are done.
final class TLSDoor: Sendable {
    let certificates: TLSCertificates
    let counters: IntakeMetrics.TransportCounters
    /// How long a client may take to read why it was refused.
    let linger: TimeAmount
    /// To a client that speaks plain text, in plain text.
    let plainTextAnswer: [UInt8]
    private let plainTextLog: RefusalLog
    private let failureLog: RefusalLog

    init(
        _ certificates: TLSCertificates, counters: IntakeMetrics.TransportCounters, linger: Duration,
        logInterval: Duration, plainTextAnswer: [UInt8], logger: Logger
    ) {
        self.certificates = certificates
        self.counters = counters
        self.linger = TimeAmount(linger)
        self.plainTextAnswer = plainTextAnswer
        plainTextLog = RefusalLog(
            "plain text on a tls listener, connection closed",
            hint: "let the client speak TLS: https://, or --tls for millrace's commands",
            interval: TimeAmount(logInterval), logger: logger)
        failureLog = RefusalLog(
            "tls handshakes failed",
            hint:
                "see millrace_tls_handshake_failures_total; refused_by_client: does the client trust tls.certificate?",
            interval: TimeAmount(logInterval), logger: logger)
    }

    /// Counts and logs it.
    func failed(_ failure: TLSFailure, peer: String?) {
        counters.handshakeFailures(failure).add(1)
        switch failure {
        // What asks whether a port is open does that all day.
        case .closed: break
        case .plainText: plainTextLog.refused(failure.rawValue, peer: peer)
        case .timeout, .version, .cipher, .clientCertificate, .refused, .malformed:
            failureLog.refused(failure.rawValue, peer: peer)
        }
    }
}
