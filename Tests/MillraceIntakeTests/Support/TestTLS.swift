import MillraceIntake
import MillraceTestSupport
import NIOSSL

/// What a test's intakes and clients speak TLS by, while it is current.
struct TestTLS: Sendable {
    @TaskLocal static var current: TestTLS?

    let certificates: TLSCertificates
    /// What `certificates` were read by.
    let configuration: ListenerTLSConfiguration
    let context: NIOSSLContext
    /// Holds the files.
    private let authority: TestAuthority

    init() throws {
        authority = try TestAuthority()
        let pair = try authority.sign()
        var configuration = ListenerTLSConfiguration()
        configuration.certificate = pair.certificate
        configuration.key = pair.key
        // Time enough on a slow machine.
        configuration.handshakeTimeout = .seconds(60)
        self.configuration = configuration
        certificates = try TLSCertificates(configuration, logger: quiet)
        var client = TLSConfiguration.makeClientConfiguration()
        client.trustRoots = .certificates(try NIOSSLCertificate.fromPEMFile(authority.certificate))
        context = try NIOSSLContext(configuration: client)
    }
}
