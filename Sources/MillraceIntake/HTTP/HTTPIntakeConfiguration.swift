package import MillraceChannels

/// Settings of the HTTP intake; the defaults are config.toml's.
package struct HTTPIntakeConfiguration: Sendable {
    package var listen: [ListenAddress] = [.tcp(host: "127.0.0.1", port: 8080)]
    /// Names in `Host` that are this daemon's, besides loopback's and those it listens on.
    package var hosts: [String] = []
    /// Permission bits of a Unix socket's file.
    package var unixMode: UInt32 = 0o660
    /// Connections the kernel may keep waiting for `accept`.
    package var backlog = 1024
    /// Open connections, the reserved ones included; one more gets 503 and is closed.
    package var connectionsMax = 4096
    /// The last connections of `connectionsMax` answer only `/livez`, `/readyz` and `/metrics`.
    package var connectionsReserved = 16
    /// How long a connection may say nothing once only those are left, and twice that at most until it is noticed.
    package var crowdedWait = Duration.milliseconds(500)
    /// From the first byte (or the start of the connection) to the end of a request's headers; absolute.
    package var headerTimeout = Duration.seconds(10)
    /// From the time an answer is sent to the next request; zero closes after each answer.
    package var idleTimeout = Duration.seconds(75)
    /// How long a client may take none of its answer.
    package var writeTimeout = Duration.seconds(30)
    /// How long a request waits for its commit before it is answered as durable.
    package var committedWait = Duration.seconds(30)
    /// Requests that wait for their commit; one more is answered once it is durable.
    package var committedWaitersMax = 256
    /// Sockets that may be open, whatever they do; at so many, nothing is accepted.
    package var socketsMax = Int.max
    package var peer = PeerTimeouts()
    /// All header fields of a request together, in bytes.
    package var headerBytesMax = 16 << 10
    /// Header fields of a request.
    package var headerFieldsMax = 100
    /// Least rate of a body, averaged over `bodyRateInterval`; time held back by the intake itself does not count.
    package var bodyBytesPerSecondMin = 512
    package var bodyRateInterval = Duration.seconds(10)
    /// Largest body after decompression, in bytes. Bodies that come uncompressed have no limit.
    package var decompressedBytesMax = 4 << 30
    /// Most output bytes for one byte of compressed input, once a MiB has come out.
    package var compressionRatioMax = 1000
    /// Refused items that an answer names; `rejected_total` counts all.
    package var rejectedItemsMax = 100
    /// A body's accepted lines go to the spool in pieces of about this many bytes.
    package var submissionBytes = 256 << 10
    /// Seconds in `Retry-After` when the spool takes nothing.
    package var retryAfterSeconds = 2
    /// How long a stop waits for requests that are being answered.
    package var drainTimeout = Duration.seconds(10)
    /// How long a connection that was refused may still read what it was told.
    package var lingerTimeout = Duration.seconds(1)
    /// What all connections of the daemon hold.
    package var memory = MemoryBudget()
    package var limits = LineLimits()
    package var tenant: Int32 = 0

    package init() {}
}
