package import MillracePostgres
internal import MillraceRoutes

/// A daemon as a command reaches it: where it listens, and what is to be known of it and shown to it.
package struct Destination: Sendable, CustomStringConvertible {
    package var endpoint: Endpoint
    /// Nil: in plain text.
    package var tls: ClientTLS?
    /// Nil: none is shown.
    package var key: Secret?

    package init(_ endpoint: Endpoint, tls: ClientTLS? = nil) {
        self.endpoint = endpoint
        self.tls = tls
    }

    /// Whether others on the way can read the key.
    package var showsKeyInPlainText: Bool {
        guard key != nil, tls == nil, case .tcp(let host, _) = endpoint else { return false }
        return !Loopback.hasName(host.lowercased())
    }

    /// The first line of a TCP connection. `acks`: which ones are wanted.
    package func greeting(acks: String) -> [UInt8] {
        // Neither has a character that JSON escapes.
        let key = key.map { ",\"key\":\"\($0.value)\"" } ?? ""
        return Array("{\"hello\":{\"acks\":\"\(acks)\"\(key)}}\n".utf8)
    }

    /// A request's field `Authorization` with its line ending; empty without a key.
    package var authorization: String { key.map { "Authorization: Bearer \($0.value)\r\n" } ?? "" }

    /// The daemon of the configuration, whose certificate is known from its file.
    package init(_ listener: ConfiguredListener) throws(CommandError) {
        endpoint = listener.endpoint
        tls = try listener.certificate.map { (file) throws(CommandError) in
            try ClientTLS(.certificate(file: file), showing: nil)
        }
    }

    package var description: String { "\(endpoint)" }
}

/// A listener of the daemon that the configuration in force describes.
package struct ConfiguredListener {
    package var endpoint: Endpoint
    /// Path of the certificate that it presents; nil where it speaks plain text.
    package var certificate: String?
}
