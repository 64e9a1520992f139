internal import NIOSSL

/// What a command wants of a daemon's certificate, and its own.
package struct ClientTLS: Sendable {
    /// Whose certificates are believed.
    enum Trust: Sendable {
        /// The system's authorities.
        case system
        case authorities(file: String)
        /// This very certificate, whatever names are in it: the daemon's own file.
        case certificate(file: String)
    }

    /// What the daemon is shown of this client.
    struct Identity {
        var certificate: String
        var key: String
    }

    let context: NIOSSLContext
    let trust: Trust
    /// The only certificate that is believed; nil: what `context` verifies.
    let expected: NIOSSLCertificate?

    /// Reads the files.
    init(_ trust: Trust, showing identity: Identity?) throws(CommandError) {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.minimumTLSVersion = .tlsv12
        configuration.certificateVerification = .fullVerification
        var expected: NIOSSLCertificate?
        switch trust {
        case .system: break
        case .authorities(let file): configuration.trustRoots = .certificates(try Self.certificates(file))
        case .certificate(let file):
            // The name is not looked at: this is the daemon of the configuration at hand, under whatever address.
            configuration.certificateVerification = .noHostnameVerification
            configuration.trustRoots = .certificates([])
            expected = try Self.certificates(file).first
        }
        if let identity {
            configuration.certificateChain = try Self.certificates(identity.certificate).map { .certificate($0) }
            do {
                configuration.privateKey = .privateKey(try NIOSSLPrivateKey(file: identity.key, format: .pem))
            } catch {
                throw CommandError(
                    "\(identity.key) has no private key that can be read",
                    hint: "Give a PEM file without a passphrase, and see its permissions")
            }
        }
        do {
            context = try NIOSSLContext(configuration: configuration)
        } catch {
            throw CommandError(
                identity.map { "\($0.key) is not the key of \($0.certificate)" } ?? "TLS could not be set up: \(error)",
                hint: "Give --client-key the key that the certificate was made for")
        }
        self.trust = trust
        self.expected = expected
    }

    private static func certificates(_ file: String) throws(CommandError) -> [NIOSSLCertificate] {
        guard let certificates = try? NIOSSLCertificate.fromPEMFile(file), !certificates.isEmpty else {
            throw CommandError(
                "\(file) has no certificate that can be read", hint: "Give a PEM file, and see its permissions")
        }
        return certificates
    }
}
