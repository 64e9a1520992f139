import Glibc
import MillraceAPI
import MillraceAccess
import MillraceConfiguration
internal import MillraceChannels
import MillraceEvent
import MillraceIntake
internal import MillracePostgres
import MillraceProjections
import MillraceSpool
import MillraceTreatment
import MillraceWriter

/// What stages get that go by several sections of config.toml, and by what the daemon found at its start.
struct StageSettings {
    let tcp: TCPIntakeConfiguration
    let http: HTTPIntakeConfiguration
    let writer: WriterConfiguration
    let reading: ReadConfiguration
    let fields: LoadedFields
    let policy: LinePolicy?

    /// `sockets`: of the service manager; they take the place of `tcp.listen` and `http.listen`. `files`: what the intakes
    /// may have open. `memory`: of both intakes and the routes. `access`: of both intakes. `certificates`: where a listener
    /// speaks TLS. `rules`: of lines, whichever way they come in; `counters`: of what they decide. `spool`: whose positions are
    /// given.
    init(
        _ configuration: DaemonConfiguration, packs: [PackDefinition], sockets: SocketActivation, files: DescriptorPlan,
        memory: MemoryBudget, access: IntakeAccess, certificates: TLSCertificates?, rules: RuleSet?,
        counters: RuleCounters, spool: UniqueID
    ) throws {
        let fields = try LoadedFields(configuration.fields)
        let cursorKey = try CursorKeyFile(spoolDirectory: configuration.spool.directory).key(
            configured: configuration.api.cursorKey)
        let positions = PositionSeal(spool: spool, key: cursorKey.derived("position"))
        self.fields = fields
        policy = LinePolicy(
            rules: rules, counters: counters, fields: fields.treatment, limits: configuration.eventLimits,
            lineBytesMax: configuration.limits.lineBytes)
        var tcp = TCPIntakeConfiguration()
        tcp.tcp = configuration.tcp
        tcp.tcp.connectionsMax = files.tcp.connections
        tcp.intake = configuration.intake
        tcp.intake.committedWaitersMax = files.tcp.waiters
        tcp.limits = configuration.limits
        tcp.refusals = configuration.refusals
        tcp.eventLimits = configuration.eventLimits
        tcp.policy = policy
        tcp.listen = try Self.addresses(configuration.tcp.listen, sockets.tcp, key: "tcp.listen")
        tcp.socketsMax = files.tcp.sockets
        tcp.memory = memory
        tcp.access = access
        tcp.serverVersion = Version.current
        if configuration.tcp.tls { tcp.certificates = certificates }
        self.tcp = tcp

        var http = HTTPIntakeConfiguration()
        http.http = configuration.http
        http.http.connectionsMax = files.http.connections
        http.intake = configuration.intake
        http.intake.committedWaitersMax = files.http.waiters
        http.limits = configuration.limits
        http.eventLimits = configuration.eventLimits
        http.policy = policy
        http.listen = try Self.addresses(configuration.http.listen, sockets.http, key: "http.listen")
        http.socketsMax = files.http.sockets
        http.memory = memory
        http.access = access
        if configuration.http.tls { http.certificates = certificates }
        http.positions = positions
        self.http = http

        var writer = WriterConfiguration(host: HostName.current, version: Version.full)
        writer.database = configuration.database
        writer.partitions = configuration.partitions
        writer.dedup = configuration.dedup
        writer.deadLetters = configuration.deadLetters
        writer.audit = configuration.audit
        writer.feed = configuration.feed
        writer.retainUntilReplayed = StandbyRequirement(configuration.spool.retainUntilReplayed)
        writer.retain = configuration.spool.retain
        writer.packs = packs
        self.writer = writer

        var reading = ReadConfiguration()
        reading.fields = fields.treatment
        reading.fieldKeys = fields.keys
        reading.api = configuration.api
        reading.identity = configuration.identity
        reading.routes = configuration.routes
        reading.limits = configuration.limits
        reading.memory = memory
        reading.cursorKey = cursorKey
        reading.positions = positions
        self.reading = reading
    }

    private static func addresses(
        _ texts: [String], _ sockets: [ListenAddress], key: String
    ) throws(ListenAddressError) -> [ListenAddress] {
        var addresses: [ListenAddress] = []
        for text in texts {
            guard let address = ListenAddress(text) else { throw ListenAddressError(key: key, text: text) }
            addresses.append(address)
        }
        return sockets.isEmpty ? addresses : sockets
    }
}

/// An address of `tcp.listen` or `http.listen` that is none.
package struct ListenAddressError: Error, CustomStringConvertible {
    let key: String
    let text: String

    package var description: String { "\(key): \"\(text)\" is no address: write host:port, [v6]:port or unix:/path" }
}
