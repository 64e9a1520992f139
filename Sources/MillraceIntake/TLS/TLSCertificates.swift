internal import Glibc
package import Logging
internal import MillraceTelemetry
internal import NIOSSL
internal import Synchronization

/// The certificate in force, for all listeners that speak TLS. A reload puts another in its place for connections from
/// then on; files that can't be used change nothing.
package final class TLSCertificates: Sendable {
    private struct State {
        var files: TLSFiles
        var handshakeTimeout: Duration
    }

    private let state: Mutex<State>
    private let logger: Logger

    /// Reads the files: blocks on the disk.
    package init(_ configuration: ListenerTLSConfiguration, logger: Logger) throws(TLSFileError) {
        let files = try TLSFiles(reading: configuration)
        state = Mutex(State(files: files, handshakeTimeout: configuration.handshakeTimeout))
        self.logger = logger
        report(files.facts)
    }

    /// Reads the files again: blocks on the disk. Throws when they can't be used; what comes back puts them in force.
    package func prepared(_ configuration: ListenerTLSConfiguration) throws(TLSFileError) -> @Sendable () -> Void {
        let files = try TLSFiles(reading: configuration)
        return {
            self.state.withLock { $0 = State(files: files, handshakeTimeout: configuration.handshakeTimeout) }
            self.report(files.facts)
        }
    }

    /// What the certificate in force says.
    package var facts: CertificateFacts { state.withLock { $0.files.facts } }

    var context: NIOSSLContext { state.withLock { $0.files.context } }

    var handshakeTimeout: Duration { state.withLock { $0.handshakeTimeout } }

    private func report(_ facts: CertificateFacts) {
        let now = Int64(time(nil))
        let days = (facts.validUntil - now) / 86_400
        let metadata: Logger.Fields = [
            .subject: "\(facts.subject)", .names: "\(facts.names.joined(separator: ","))", .days: "\(days)",
        ]
        if facts.isValid(at: now) {
            logger.info("tls certificate", metadata: metadata)
        } else {
            logger.warning(
                "tls certificate is out of date; clients refuse it",
                metadata: metadata.merging([.hint: "renew tls.certificate, then `systemctl reload millrace`"]) { $1 })
        }
    }
}
