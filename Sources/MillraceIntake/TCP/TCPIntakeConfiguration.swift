internal import MillraceAccess
package import MillraceChannels
package import MillraceEvent
package import MillraceTreatment
internal import NIOCore

/// `[tcp]`.
package struct TCPConfiguration: Sendable, Equatable {
    package var listen = ["127.0.0.1:7171"]
    /// TLS on the addresses that are no Unix sockets.
    package var tls = false
    /// Connections the kernel may keep waiting for `accept`.
    package var backlog = 1024
    /// Open connections; one more gets an error line and is closed.
    package var connectionsMax = 1024
    /// How long nothing may come on a connection that waits for nothing; zero is for ever.
    package var idleTimeout = Duration.seconds(3600)
    /// Bytes of one connection that may wait for their answer before it is read no further.
    package var inflightBytesMax = 1 << 20
    /// Refused lines beyond the accepted ones; then the connection is closed.
    package var refusedLinesMax = 1000
    /// Of lines that go to the spool together: dead and parked ones that a client which waits for commits is told one by
    /// one.
    package var reportedLinesMax = 1000
    /// How often lines that a full spool refused are offered again.
    package var retryInterval = Duration.milliseconds(250)
    /// How long a connection's first line may take where a key is wanted.
    package var greetingTimeout = Duration.seconds(10)
    /// How long a connection whose key has ended waits for the acks of what was taken before.
    package var endedKeyWait = Duration.seconds(2)

    package init() {}
}

/// What the TCP intake is configured by: sections of config.toml as they are, and what the daemon found at its start.
package struct TCPIntakeConfiguration: Sendable {
    package var tcp = TCPConfiguration()
    package var intake = IntakeConfiguration()
    package var limits = LimitsConfiguration()
    package var refusals = RefusalsConfiguration()
    /// What the parser accepts.
    package var eventLimits = EventLimits()
    /// What is done to lines that it accepts; nil: nothing.
    package var policy: LinePolicy?
    /// `tcp.listen`, or the service manager's sockets.
    package var listen: [ListenAddress] = []
    /// Sockets that may be open, whatever they do; at so many, nothing is accepted.
    package var socketsMax = Int.max
    /// The memory that all connections of the daemon share.
    package var memory = MemoryBudget()
    /// Who is let in; of all listeners of the daemon.
    package var access = IntakeAccess()
    /// TLS is spoken by these; nil: in plain text.
    package var certificates: TLSCertificates?
    /// In the answer to a greeting.
    package var serverVersion = "dev"

    package init() {}
}

/// Of `[dead_letters]`: which refused lines of one connection are kept.
package struct RefusalsConfiguration: Sendable, Equatable {
    /// Refused lines that are all kept, in each `burstInterval`.
    package var burstLines = 100
    package var burstInterval = Duration.seconds(60)
    /// Of the further ones one in so many is kept.
    package var sampledOneIn = 100

    package init() {}
}

/// What one TCP connection may hold, and how long it may last.
struct TCPConnectionBounds {
    /// Bytes that may wait for their answer before it is read no further.
    var inflightBytesMax: Int
    /// Refused lines beyond the accepted ones.
    var refusedLinesMax: Int
    var memory: MemoryBudget
    /// Nil: no limit.
    var idleTimeout: TimeAmount?
    var retryInterval: TimeAmount
    var committedWait: TimeAmount
    var lingerTimeout: TimeAmount
    var drainTimeout: TimeAmount
    /// How long the first line may take; nil where no key is wanted of it.
    var greetingTimeout: TimeAmount?
    /// How long lines that were taken are waited for once the connection's key has ended.
    var endedKeyWait: TimeAmount

    init(_ configuration: TCPIntakeConfiguration) {
        inflightBytesMax = configuration.tcp.inflightBytesMax
        refusedLinesMax = configuration.tcp.refusedLinesMax
        memory = configuration.memory
        idleTimeout = configuration.tcp.idleTimeout > .zero ? TimeAmount(configuration.tcp.idleTimeout) : nil
        retryInterval = TimeAmount(configuration.tcp.retryInterval)
        committedWait = TimeAmount(configuration.intake.committedWait)
        lingerTimeout = TimeAmount(configuration.intake.linger)
        drainTimeout = TimeAmount(configuration.intake.drainLimit)
        let wantsKeys = configuration.access.keyRing.wantsKeys
        greetingTimeout = wantsKeys ? TimeAmount(configuration.tcp.greetingTimeout) : nil
        endedKeyWait = TimeAmount(configuration.tcp.endedKeyWait)
    }
}
