package import MillraceChannels
internal import NIOCore

/// Settings of the TCP intake; the defaults are config.toml's.
package struct TCPIntakeConfiguration: Sendable {
    package var listen: [ListenAddress] = [.tcp(host: "127.0.0.1", port: 7171)]
    /// Permission bits of a Unix socket's file.
    package var unixMode: UInt32 = 0o660
    /// Connections the kernel may keep waiting for `accept`.
    package var backlog = 1024
    /// Open connections; one more gets an error line and is closed.
    package var connectionsMax = 4096
    /// How long nothing may come on a connection that waits for nothing; zero is for ever.
    package var idleTimeout = Duration.seconds(3600)
    /// How long a half-closed connection waits for commits.
    package var committedWait = Duration.seconds(30)
    /// Half-closed connections that wait for commits and don't count as open ones.
    package var committedWaitersMax = 256
    /// Sockets that may be open, whatever they do; at so many, nothing is accepted.
    package var socketsMax = Int.max
    package var peer = PeerTimeouts()
    /// Bytes of one connection that may wait for their answer before it is read no further.
    package var inflightBytesMax = 1 << 20
    /// How much of a refused line is kept in `dead_letters`, in bytes.
    package var refusedLineBytesMax = 4096
    /// What a connection may send that is refused.
    package var refusals = RefusalBounds()
    /// Least time between two log lines about refused lines.
    package var refusalLogInterval = Duration.seconds(10)
    /// How often lines that a full spool refused are offered again.
    package var retryInterval = Duration.milliseconds(250)
    /// How long a stop waits for the answers of what was received.
    package var drainTimeout = Duration.seconds(10)
    /// How long a connection that was refused may still read what it was told.
    package var lingerTimeout = Duration.seconds(1)
    /// What all connections of the daemon hold.
    package var memory = MemoryBudget()
    package var limits = LineLimits()
    package var tenant: Int32 = 0
    /// In the answer to a greeting.
    package var serverVersion = "dev"

    package init() {}
}

/// What one connection may send that is refused.
package struct RefusalBounds: Sendable {
    /// Refused lines beyond the accepted ones; then the connection is closed.
    package var linesMax = 1000
    /// Refused lines that are all kept, in each `burstInterval`.
    package var burstLines = 100
    package var burstInterval = Duration.seconds(60)
    /// Of the further ones one in so many is kept.
    package var sampledOneIn = 100

    package init() {}

    package init(linesMax: Int, burstLines: Int, burstInterval: Duration, sampledOneIn: Int) {
        self.linesMax = linesMax
        self.burstLines = burstLines
        self.burstInterval = burstInterval
        self.sampledOneIn = sampledOneIn
    }
}

/// What one TCP connection may hold, and how long it may last.
struct TCPConnectionBounds {
    /// Bytes that may wait for their answer before it is read no further.
    var inflightBytesMax: Int
    /// Refused lines beyond the accepted ones.
    var refusedLinesMax: Int
    var memory: MemoryBudget
    /// Nil is for ever.
    var idleTimeout: TimeAmount?
    var retryInterval: TimeAmount
    var committedWait: TimeAmount
    var lingerTimeout: TimeAmount
    var drainTimeout: TimeAmount

    init(_ configuration: TCPIntakeConfiguration) {
        inflightBytesMax = configuration.inflightBytesMax
        refusedLinesMax = configuration.refusals.linesMax
        memory = configuration.memory
        idleTimeout = configuration.idleTimeout > .zero ? TimeAmount(configuration.idleTimeout) : nil
        retryInterval = TimeAmount(configuration.retryInterval)
        committedWait = TimeAmount(configuration.committedWait)
        lingerTimeout = TimeAmount(configuration.lingerTimeout)
        drainTimeout = TimeAmount(configuration.drainTimeout)
    }
}
