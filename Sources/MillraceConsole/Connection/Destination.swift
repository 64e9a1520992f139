/// A daemon as a command reaches it: where it listens, and what is to be known of it and shown to it.
package struct Destination: CustomStringConvertible {
    package var endpoint: Endpoint
    /// Nil: in plain text.
    package var tls: ClientTLS?

    package init(_ endpoint: Endpoint, tls: ClientTLS? = nil) {
        self.endpoint = endpoint
        self.tls = tls
    }

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
