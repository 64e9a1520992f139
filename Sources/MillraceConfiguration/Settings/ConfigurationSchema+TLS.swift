internal import MillraceIntake

extension ConfigurationSchema {
    static let tls = ConfigurationSection(
        name: "tls", doc: "TLS 1.2 and 1.3, where tcp.tls or http.tls is set. The files are read again on reload.",
        keys: [
            .string(
                "certificate", \.tls.certificate,
                "File (PEM) of the certificate and after it those up to its authority, such as Let's Encrypt's fullchain.pem.",
                watch: "millrace_tls_certificate_expiry_timestamp_seconds"
            ).live,
            .string(
                "key", \.tls.key, "File (PEM) of its private key, without a passphrase; for the daemon's user only."
            ).live,
            .string(
                "client_ca", \.tls.clientCA,
                "File (PEM) of the authorities of client certificates. A client may do without one. Empty: none is asked for.",
                watch: "millrace_tls_handshake_failures_total"
            ).live,
            .duration(
                "handshake_timeout", \.tls.handshakeTimeout, .milliseconds(100) ... .seconds(300),
                "From the start of a connection to the end of its handshake; until then it takes no place.",
                watch: "millrace_tls_handshake_failures_total"
            ).live,
        ])
}
