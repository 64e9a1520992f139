internal import NIOSSL

/// Why a TLS connection came to nothing before its first byte.
package enum TLSFailure: String, Sendable, CaseIterable {
    /// The client speaks plain text.
    case plainText = "plain_text"
    /// Not done within `tls.handshake_timeout`.
    case timeout
    /// The client went away.
    case closed
    /// The client speaks only versions before 1.2.
    case version = "protocol_version"
    case cipher = "no_shared_cipher"
    /// The client's certificate is of no authority in `tls.client_ca`, or out of date.
    case clientCertificate = "client_certificate"
    /// The client refused this daemon's certificate, or gave up by an alert.
    case refused = "refused_by_client"
    /// Bytes that are no handshake.
    case malformed

    init(_ error: any Error) {
        let text = "\(error)"
        let known: [(String, TLSFailure)] = [
            ("EOF during", .closed), ("UNSUPPORTED_PROTOCOL", .version), ("NO_SHARED_CIPHER", .cipher),
            ("NO_SHARED_GROUP", .cipher), ("NO_COMMON_SIGNATURE_ALGORITHMS", .cipher),
            ("CERTIFICATE_VERIFY_FAILED", .clientCertificate), ("_ALERT_", .refused),
        ]
        self = known.first { text.contains($0.0) }?.1 ?? .malformed
    }
}
