internal import NIOSSL

/// Why TLS with a daemon came to nothing, as far as one can tell.
enum TLSProblem: Equatable {
    /// Its certificate is signed by nobody who is trusted, or is out of date.
    case untrusted
    case otherName
    /// It answered in plain text.
    case plainText
    /// Nothing came: it may wait for more of what it takes for a line.
    case silence
    case ended
    /// It refused this client's certificate.
    case clientRefused
    case noCommonVersion
    case other(String)

    init(_ error: any Error) {
        if let error = error as? NIOSSLExtraError, error == .failedToValidateHostname {
            self = .otherName
            return
        }
        let text = "\(error)"
        let known: [(String, TLSProblem)] = [
            ("CERTIFICATE_VERIFY_FAILED", .untrusted), ("WRONG_VERSION_NUMBER", .plainText),
            ("HTTP_REQUEST", .plainText), ("ALERT_PROTOCOL_VERSION", .noCommonVersion),
            ("UNSUPPORTED_PROTOCOL", .noCommonVersion), ("CERTIFICATE_REQUIRED", .clientRefused),
            ("ALERT_UNKNOWN_CA", .clientRefused), ("ALERT_BAD_CERTIFICATE", .clientRefused),
            ("ALERT_CERTIFICATE", .clientRefused), ("ALERT_UNSUPPORTED_CERTIFICATE", .clientRefused),
            ("ALERT_DECRYPT_ERROR", .clientRefused), ("ALERT_ACCESS_DENIED", .clientRefused),
            ("EOF during handshake", .ended),
        ]
        self = known.first { text.contains($0.0) }?.1 ?? .other(text)
    }

    func commandError(_ destination: Destination) -> CommandError {
        let endpoint = destination.endpoint
        switch self {
        case .untrusted:
            return switch destination.tls?.trust {
            case .authorities(let file):
                CommandError(
                    "the certificate of \(endpoint) is signed by no authority in \(file), or it is out of date",
                    hint: "Give --ca the authority that signed it")
            case .certificate(let file):
                CommandError(
                    "\(endpoint) presents another certificate than \(file)",
                    hint:
                        "Reload the daemon after its certificate was renewed, or give --ca the authority that signed it"
                )
            case .system, nil:
                CommandError(
                    "the certificate of \(endpoint) is signed by no authority that this system trusts, or it is out of date",
                    hint: "Give --ca the authority that signed it")
            }
        case .otherName:
            return CommandError(
                "the certificate of \(endpoint) is for other names",
                hint: "Connect by a name that is in it, or have one made for this name")
        case .plainText:
            return CommandError(
                "\(endpoint) speaks plain text",
                hint: "Leave --tls out, or set tcp.tls, http.tls in the daemon's config.toml")
        case .silence:
            return CommandError(
                "\(endpoint) gave no TLS answer in time",
                hint: "Check that tcp.tls, http.tls are set there; a listener of plain text does not answer",
                isRetryable: true)
        case .ended:
            return CommandError(
                "\(endpoint) ended the connection during the TLS handshake",
                hint: "See the daemon's log for the reason",
                isRetryable: true)
        case .clientRefused:
            return CommandError(
                "\(endpoint) refused this client's certificate",
                hint: "Give --client-certificate one that an authority in the daemon's tls.client_ca has signed")
        case .noCommonVersion:
            return CommandError("\(endpoint) speaks no TLS 1.2 or 1.3", hint: "Millrace wants TLS 1.2 or later")
        case .other(let text):
            return CommandError("TLS with \(endpoint) failed: \(text)", hint: "See the daemon's log for the reason")
        }
    }
}
