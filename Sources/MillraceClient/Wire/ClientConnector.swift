internal import NIOCore
internal import NIOPosix
internal import NIOSSL

/// Makes connections to the daemon.
struct ClientConnector: Sendable {
    typealias Connection = NIOAsyncChannel<ByteBuffer, ByteBuffer>

    private let configuration: MillraceClient.Configuration
    private let context: NIOSSLContext?
    private let group: any EventLoopGroup

    /// Reads the files of `tls`, and throws for those that can't be used.
    init(
        _ configuration: MillraceClient.Configuration, group: any EventLoopGroup
    ) throws(MillraceClientError) {
        self.configuration = configuration
        self.group = group
        context = try configuration.tls.map { (tls) throws(MillraceClientError) in try Self.context(tls) }
    }

    /// The first line of a connection.
    var greeting: ByteBuffer {
        // `validate` has seen to it that a key has nothing that JSON escapes.
        let key = configuration.key.map { ",\"key\":\"\($0)\"" } ?? ""
        return ByteBuffer(string: "{\"hello\":{\"acks\":\"\(configuration.acknowledgement.rawValue)\"\(key)}}\n")
    }

    /// A connection that stands; with TLS, the handshake comes with the first bytes. Takes as long as `connectTimeout` at
    /// most, and not beyond `deadline`.
    func connect(by deadline: ContinuousClock.Instant?) async throws -> Connection {
        let limit = min(configuration.connectTimeout, deadline.map { $0 - .now } ?? configuration.connectTimeout)
        let bootstrap = ClientBootstrap(group: group)
            .connectTimeout(.nanoseconds(Int64(max(limit, .milliseconds(1)) / .nanoseconds(1))))
            // A daemon whose host is gone says nothing, also while nothing is sent.
            .channelOption(.socketOption(.so_keepalive), value: 1)
        let (context, address) = (context, configuration.address)
        let initialize: @Sendable (any Channel) -> EventLoopFuture<Connection> = { channel in
            channel.eventLoop.makeCompletedFuture {
                if let context {
                    try channel.pipeline.syncOperations.addHandler(
                        NIOSSLClientHandler(context: context, serverHostname: address.nameForTLS))
                }
                return try Connection(wrappingChannelSynchronously: channel)
            }
        }
        return switch address {
        case .host(let host, let port):
            try await bootstrap.connect(host: host, port: port, channelInitializer: initialize)
        case .unix(let path): try await bootstrap.connect(unixDomainSocketPath: path, channelInitializer: initialize)
        }
    }

    private static func context(
        _ tls: MillraceClient.Configuration.TLS
    ) throws(MillraceClientError) -> NIOSSLContext {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.minimumTLSVersion = .tlsv12
        if let file = tls.authorities { configuration.trustRoots = .certificates(try certificates(file)) }
        if let certificate = tls.certificate, let privateKey = tls.privateKey {
            configuration.certificateChain = try certificates(certificate).map { .certificate($0) }
            do {
                configuration.privateKey = .privateKey(try NIOSSLPrivateKey(file: privateKey, format: .pem))
            } catch {
                throw MillraceClientError(
                    .invalidConfiguration, "\(privateKey) has no private key that can be read",
                    hint: "Give a PEM file without a passphrase, and see its permissions")
            }
        }
        do {
            return try NIOSSLContext(configuration: configuration)
        } catch {
            throw MillraceClientError(
                .invalidConfiguration, "TLS can't be set up of certificate and privateKey",
                hint: "Give the private key that the certificate was made for")
        }
    }

    private static func certificates(_ file: String) throws(MillraceClientError) -> [NIOSSLCertificate] {
        guard let certificates = try? NIOSSLCertificate.fromPEMFile(file), !certificates.isEmpty else {
            throw MillraceClientError(
                .invalidConfiguration, "\(file) has no certificate that can be read",
                hint: "Give a PEM file, and see its permissions")
        }
        return certificates
    }

    /// What an error of a connection means. Throws what is none: the end of the task.
    static func problem(
        _ error: any Error, at address: MillraceClient.Configuration.Address
    ) throws -> MillraceClientError {
        if let error = error as? MillraceClientError { return error }
        // Errors that the task's end brings with it come in many forms.
        try Task.checkCancellation()
        if error is NIOSSLError || error is NIOSSLExtraError || error is BoringSSLError {
            return tlsProblem("\(error)", error as? NIOSSLExtraError, at: address)
        }
        return MillraceClientError(
            .connectionFailed, "no connection with \(address): \(error)",
            hint: "Check the address, and whether the daemon runs", isRetryable: true)
    }

    private static func tlsProblem(
        _ text: String, _ extra: NIOSSLExtraError?, at address: MillraceClient.Configuration.Address
    ) -> MillraceClientError {
        func final(_ what: String, _ hint: String) -> MillraceClientError {
            MillraceClientError(.tlsFailed, what, hint: hint)
        }
        if extra == .failedToValidateHostname {
            return final(
                "the certificate of \(address) is for other names",
                "Connect by a name that is in it, or have one made for this name")
        }
        if text.contains("CERTIFICATE_VERIFY_FAILED") {
            return final(
                "the certificate of \(address) is signed by no authority that is believed, or it is out of date",
                "Give tls.authorities the authority that signed it")
        }
        if text.contains("WRONG_VERSION_NUMBER") || text.contains("HTTP_REQUEST") {
            return final("\(address) speaks plain text", "Leave tls out, or set tcp.tls in the daemon's config.toml")
        }
        let isRefused = ["CERTIFICATE_REQUIRED", "ALERT_UNKNOWN_CA", "ALERT_BAD_CERTIFICATE", "ALERT_CERTIFICATE"]
        if isRefused.contains(where: { text.contains($0) }) {
            return final(
                "\(address) refused this client's certificate",
                "Give tls.certificate one that an authority in the daemon's tls.client_ca has signed")
        }
        return MillraceClientError(
            .connectionFailed, "TLS with \(address) failed: \(text)", hint: "See the daemon's log for the reason",
            isRetryable: true)
    }
}

extension MillraceClient.Configuration.Address {
    /// What the certificate has to name; nil for addresses, which are looked for by themselves.
    fileprivate var nameForTLS: String? {
        guard case .host(let host, _) = self, (try? SocketAddress(ipAddress: host, port: 0)) == nil else { return nil }
        return host
    }
}
