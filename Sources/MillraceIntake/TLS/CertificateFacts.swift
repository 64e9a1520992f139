internal import NIOCore
internal import NIOSSL
internal import SwiftASN1
internal import X509

/// What a certificate says of itself.
package struct CertificateFacts: Sendable, Equatable {
    /// As RFC 4514 writes it.
    package var subject: String
    /// DNS names and addresses.
    package var names: [String]
    /// Seconds since 1970, here and below.
    package var validFrom: Int64
    package var validUntil: Int64

    /// Throws for a certificate that X.509's own library does not read.
    init(_ certificate: NIOSSLCertificate) throws {
        let parsed = try Certificate(derEncoded: certificate.toDERBytes())
        subject = "\(parsed.subject)"
        names = (try parsed.extensions.subjectAlternativeNames ?? SubjectAlternativeNames()).compactMap { name in
            switch name {
            case .dnsName(let name): name
            case .ipAddress(let bytes):
                (try? SocketAddress(packedIPAddress: ByteBuffer(bytes: bytes.bytes), port: 0))?.ipAddress
            default: nil
            }
        }
        validFrom = Int64(certificate.notValidBefore)
        validUntil = Int64(certificate.notValidAfter)
    }

    /// Whether it may be used; `now`: seconds since 1970.
    package func isValid(at now: Int64) -> Bool { (validFrom...validUntil).contains(now) }
}

/// Who is at the other end of a TLS connection.
package struct TLSPeer: Sendable, Equatable {
    /// Subject of its verified certificate, as RFC 4514 writes it; nil: it showed none.
    package var subject: String?

    init(_ certificate: NIOSSLCertificate?) throws {
        subject = try certificate.map { try CertificateFacts($0).subject }
    }
}
