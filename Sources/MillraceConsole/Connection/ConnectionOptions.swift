internal import ArgumentParser

/// How a command reaches a daemon; the same for every command that does.
package struct ConnectionOptions: ParsableArguments {
    @Flag(help: "Speak TLS. Default: as tcp.tls and http.tls say, for the daemon of the configuration.")
    var tls = false

    @Option(
        help: ArgumentHelp(
            "TLS: certificates (PEM) of the authorities to trust, instead of the system's.", valueName: "file"),
        completion: .file())
    var ca: String?

    @Option(
        help: ArgumentHelp("TLS: the certificate (PEM) to show the daemon, its chain after it.", valueName: "file"),
        completion: .file())
    var clientCertificate: String?

    @Option(
        help: ArgumentHelp("TLS: the private key (PEM) of --client-certificate.", valueName: "file"),
        completion: .file())
    var clientKey: String?

    @Option(
        help: ArgumentHelp(
            "A file with the key to show the daemon. Default: $MILLRACE_KEY, else the file that $MILLRACE_KEY_FILE names.",
            valueName: "file"),
        completion: .file())
    var keyFile: String?

    package init() {}

    /// Throws a `ValidationError` for half of a pair.
    package func validate() throws {
        guard (clientCertificate == nil) == (clientKey == nil) else {
            throw ValidationError("--client-certificate and --client-key go together.")
        }
    }

    /// `endpoint` where one is given, else what the configuration says. Reads the files of certificates and key.
    package func destination(
        _ endpoint: Endpoint?, or configured: @autoclosure () throws -> ConfiguredListener
    ) throws -> Destination {
        var destination = try listener(endpoint, or: configured())
        destination.key = try ClientKey.read(file: keyFile)
        if destination.showsKeyInPlainText {
            Console.error(
                "warning: the key goes to \(destination) in plain text, for all on the way to read; give --tls where the "
                    + "daemon speaks it")
        }
        return destination
    }

    private func listener(
        _ endpoint: Endpoint?, or configured: @autoclosure () throws -> ConfiguredListener
    ) throws -> Destination {
        let asked = endpoint.map { ConfiguredListener(endpoint: $0) }
        let listener = try asked ?? configured()
        guard tls || ca != nil || clientCertificate != nil else { return try Destination(listener) }
        if case .unix = listener.endpoint {
            throw CommandError(
                "\(listener.endpoint) is a Unix socket, which speaks no TLS", hint: "Leave --tls and its options out")
        }
        var identity: ClientTLS.Identity?
        if let clientCertificate, let clientKey { identity = .init(certificate: clientCertificate, key: clientKey) }
        let trust =
            ca.map { ClientTLS.Trust.authorities(file: $0) }
            ?? listener.certificate.map { .certificate(file: $0) } ?? .system
        return Destination(listener.endpoint, tls: try ClientTLS(trust, showing: identity))
    }
}
