package import MillraceAccess
package import MillraceChannels
package import MillraceEvent
package import MillraceTreatment

/// `[http]`, without the keys that only other routes use.
package struct HTTPConfiguration: Sendable, Equatable {
    package var listen = ["127.0.0.1:8080"]
    /// TLS on the addresses that are no Unix sockets.
    package var tls = false
    /// Names in `Host` that are this daemon's, besides loopback's and those it listens on.
    package var hosts: [String] = []
    /// Origins of pages that may send while no key is wanted, as `OriginList` takes them.
    package var corsOrigins: [String] = []
    /// Connections the kernel may keep waiting for `accept`.
    package var backlog = 1024
    /// Open connections, the reserved ones included; one more gets 503 and is closed.
    package var connectionsMax = 1024
    /// The last connections of `connectionsMax` answer only `/livez`, `/readyz` and `/metrics`.
    package var reservedConnections = 16
    /// How long a connection may be silent once only the reserved places are left; noticed within twice that time.
    package var crowdedWait = Duration.milliseconds(500)
    /// From the first byte (or the start of the connection) to the end of a request's headers; absolute.
    package var headerTimeout = Duration.seconds(10)
    /// All header fields of a request together, in bytes.
    package var headerBytes = 32 << 10
    /// Header fields of a request.
    package var headerFields = 100
    /// Least bytes a second of a body, averaged over `bodyRateInterval`; time held back by the intake does not count.
    package var bodyRateMin = 1 << 10
    package var bodyRateInterval = Duration.seconds(10)
    /// From the time an answer is sent to the next request; zero closes after each answer.
    package var keepAlive = Duration.seconds(75)
    /// How long a client may take none of its answer.
    package var writeTimeout = Duration.seconds(30)
    /// Largest body after decompression, in bytes. Bodies that come uncompressed have no limit.
    package var decompressedBytesMax = 1 << 30
    /// Largest body of an SDK, in bytes, decompressed: it is read whole.
    package var sdkBodyMax = 20 << 20
    /// Most output bytes for one byte of compressed input, once a MiB has come out.
    package var decompressionRatioMax = 100
    /// Refused, parked and dead items that an answer names, of each; `rejected_total` and its like count all.
    package var rejectedItemsMax = 1000
    /// A body's accepted lines go to the spool in pieces of about this many bytes.
    package var submissionBytes = 256 << 10
    /// `Retry-After` of a 503: whole seconds.
    package var retryAfter = Duration.seconds(2)

    package init() {}

    package var retryAfterSeconds: Int { Int(retryAfter.components.seconds) }
}

/// What the HTTP intake is configured by: sections of config.toml as they are, and what the daemon found at its start.
package struct HTTPIntakeConfiguration: Sendable {
    package var http = HTTPConfiguration()
    package var intake = IntakeConfiguration()
    package var limits = LimitsConfiguration()
    /// What the parser accepts.
    package var eventLimits = EventLimits()
    /// What is done to items that it accepts; nil: nothing.
    package var policy: LinePolicy?
    /// `http.listen`, or the service manager's sockets.
    package var listen: [ListenAddress] = []
    /// Sockets that may be open, whatever they do; at so many, nothing is accepted.
    package var socketsMax = Int.max
    /// The memory that all connections of the daemon share.
    package var memory = MemoryBudget()
    /// Who is let in; of all listeners of the daemon.
    package var access = IntakeAccess()
    /// TLS is spoken by these; nil: in plain text.
    package var certificates: TLSCertificates?
    /// Makes the positions of answers; nil: there are none.
    package var positions: PositionSeal?

    package init() {}
}
