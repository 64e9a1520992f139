/// `[tls]`: of all listeners that speak it.
package struct ListenerTLSConfiguration: Sendable, Equatable {
    /// Path of a PEM file: the certificate, and after it those up to its authority.
    package var certificate = ""
    /// Path of a PEM file: its private key.
    package var key = ""
    /// Path of a PEM file: the authorities of client certificates; empty: none is asked for.
    package var clientCA = ""
    /// From the start of a connection to the end of its handshake.
    package var handshakeTimeout = Duration.seconds(10)

    package init() {}
}
