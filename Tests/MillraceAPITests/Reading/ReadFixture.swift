import FoundationEssentials
import Logging
import MillraceAPI
import MillraceAccess
import MillraceChannels
import MillraceEvent
import MillracePostgres
import MillraceProjections
import MillraceTelemetry
import MillraceTestSupport

/// A database with rows of the last weeks, the tables of two packs, and the API over it.
struct ReadFixture {
    static let secret = "a secret of at least thirty-two bytes"
    static let users = (0..<5).map { "843d440a-a7a7-45ee-96df-3568c37384b\($0)" }

    let database: TestDatabase
    let packs: [PackDefinition]
    private let scratch: ScratchDirectory

    /// `cluster`: nil for the one that tests share.
    init(
        _ name: String = #function, pack: ReadFixturePacks = ReadFixturePacks(), on cluster: TestCluster? = nil
    ) throws {
        database = try (cluster ?? .shared).database(name)
        scratch = try ScratchDirectory()
        try pack.write(to: scratch.path)
        packs = try PackLoader(directory: scratch.path).load(["shop", "conversations"])
        let connection = try database.connect()
        let start = Timestamp.now.advanced(by: .seconds(-62 * 86_400))
        try Partitions(connection: connection).ensureAhead(months: 3, from: start.microseconds)
        for pack in packs {
            try connection.execute(
                "BEGIN; SET LOCAL search_path = projections, pg_catalog, public; \(pack.upSQL); COMMIT")
            try connection.execute(
                """
                INSERT INTO projections.versions (pack, version, definition_hash, schema_name, state)
                VALUES ('\(pack.name)', \(pack.version), '\(pack.hash)', 'projections', 'live')
                """)
        }
    }

    /// With the packs of these names that ship with Millrace, and no months.
    init(builtIn names: [String], on cluster: TestCluster, _ name: String = #function) throws {
        database = try cluster.database(name)
        scratch = try ScratchDirectory()
        packs = try PackLoader().load(names)
        try PackInstaller(connection: database.connect()).install(packs)
    }

    /// Runs `body` with a client; `hasKeys`: the routes want tokens; `keyRing`: keys that they may want.
    func withAPI(
        hasKeys: Bool = false, keyRing: KeyRing = KeyRing(isRequired: false), identityURL: String = "",
        databaseURL: String? = nil, logger: Logger = RunningAPI.quiet,
        change: (inout ReadPoolConfiguration, inout ReadConfiguration) -> Void = { _, _ in },
        _ body: (APIClient) async throws -> Void
    ) async throws {
        var settings = ReadPoolConfiguration(
            databaseURL: databaseURL ?? database.connectionString, connectTimeout: .seconds(5), drainLimit: .seconds(5))
        var configuration = ReadConfiguration()
        var identity = IdentityConfiguration()
        identity.url = Secret(identityURL)
        identity.retryAfter = .zero
        change(&settings, &configuration)
        let servers = ReadServers(primary: settings, logger: logger)
        let directory = IdentityDirectory(identity, logger: RunningAPI.quiet)
        let reading = Reading(
            configuration: configuration, servers: servers, writing: servers.primary,
            catalog: PackCatalog(definitions: packs, servers: servers),
            identity: directory, isWriting: { true })
        var tokens = JWTConfiguration()
        if hasKeys { tokens.secret = Secret(Self.secret) }
        var routesConfiguration = APIRoutesConfiguration()
        routesConfiguration.keys = keyRing
        let channel = RecordChannel(bytesMax: 1 << 20)
        let routes = APIRoutes(
            configuration: routesConfiguration, channel: channel, verifier: try await TokenVerifier(tokens),
            reading: reading, saves: KnownSaves(savesMax: 100), logger: RunningAPI.quiet, readiness: { Readiness() },
            metrics: { "" },
            latencies: { LatencySnapshot(startedAt: .zero, endedAt: .zero, stages: []) })
        try await RunningAPI.run(routes, channel: channel) { port in
            try await body(APIClient(port: port))
        }
        await servers.stop()
        await directory.stop()
    }

    /// Events 0 …< `count`, one every ten minutes back from now, of three types and five users.
    func addEvents(_ count: Int) throws {
        try database.connect().execute(
            """
            INSERT INTO public.analytics_events (id, event_type, user_id, payload, created_at, batch_id)
            SELECT ('00000000-0000-7000-8000-' || lpad(i::text, 12, '0'))::uuid,
                (ARRAY['page.viewed', 'order.placed', 'note.written'])[i % 3 + 1],
                CASE WHEN i % 7 > 0 THEN ('843d440a-a7a7-45ee-96df-3568c37384b' || i % 5)::uuid END,
                jsonb_build_object('n', i, 'tags', jsonb_build_array('t' || i % 10), 'price', 1.50),
                now() - i * interval '10 minutes', 1
            FROM generate_series(0, \(count - 1)) AS i
            """)
    }

    /// Conversations 0 …< `count`, one every hour back from now.
    func addConversations(_ count: Int) throws {
        try database.connect().execute(
            """
            INSERT INTO public.conversations
                (id, conversation_id, user_id, question, response, source, status, created_at, batch_id)
            SELECT ('00000000-0000-7000-9000-' || lpad(i::text, 12, '0'))::uuid, 'c' || i / 4,
                ('843d440a-a7a7-45ee-96df-3568c37384b' || i % 5)::uuid,
                'Quels poulets mangent ' || i, 'The chickens were eating well ' || i, 'test',
                CASE WHEN i % 10 = 9 THEN 'deleted' ELSE 'active' END, now() - i * interval '1 hour', 1
            FROM generate_series(0, \(count - 1)) AS i
            """)
    }
}

extension APIClient {
    func get(_ path: String, method: String = "GET", host: String = "localhost", token: String? = nil) async throws
        -> Response
    {
        let header = token.map { "Authorization: Bearer \($0)\r\n" } ?? ""
        try await send("\(method) \(path) HTTP/1.1\r\nHost: \(host)\r\n\(header)\r\n")
        guard let response = await response(isHead: method == "HEAD") else {
            throw TestSupportError(message: "no answer to \(path)")
        }
        return response
    }
}

extension APIClient.Response {
    /// The body as JSON; an empty object when it is none.
    var json: JSONObject { JSONObject(body) }
}
