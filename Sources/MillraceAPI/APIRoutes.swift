internal import HTTPTypes
internal import Hummingbird
internal import HummingbirdCore
package import Logging
internal import MillraceAccess
package import MillraceChannels
package import MillraceEvent
package import MillracePostgres
internal import MillraceProjections
internal import MillraceRoutes
package import MillraceTelemetry
package import NIOCore
package import NIOHTTPTypes

/// Every route except the intake's own, answered by Hummingbird on connections that the HTTP intake hands over.
package struct APIRoutes: Sendable {
    /// Carries Hummingbird's handling of one connection.
    private struct Connections: HTTPChannelHandler {
        let responder: Responder

        func setup(
            channel: any Channel, logger: Logger
        ) -> EventLoopFuture<NIOAsyncChannel<HTTPRequestPart, HTTPResponsePart>> {
            channel.eventLoop.makeCompletedFuture { try NIOAsyncChannel(wrappingChannelSynchronously: channel) }
        }

        func handle(value: NIOAsyncChannel<HTTPRequestPart, HTTPResponsePart>, logger: Logger) async {
            await handleHTTP(asyncChannel: value, logger: logger)
        }
    }

    private let respond: @Sendable (Request, any Channel) async -> Response
    private let logger: Logger

    /// `readiness` is asked for each `/readyz`, `metrics` (Prometheus text) for each `/metrics`, `latencies` (since the
    /// start) for each `/debug/latency`, `reload` for each `POST /v1/reload`, `erase` for each
    /// `DELETE /v1/users/{id}`, `retry` for each `POST /v1/dead-letters/retry`. `live`: what streams are made of. `onAccepted`,
    /// `onRefused` and `onSampledOut` count
    /// conversation saves.
    package init(
        configuration: APIRoutesConfiguration, channel: RecordChannel, verifier: TokenVerifier, reading: Reading,
        saves: KnownSaves, logger: Logger,
        readiness: @escaping @Sendable () -> Readiness, metrics: @escaping @Sendable () async -> String,
        latencies: @escaping @Sendable () -> LatencySnapshot,
        reload: @escaping @Sendable (AuditActor) async throws -> ReloadReport = { _ in
            throw ReloadRefusal(reasons: ["this daemon can't reload"])
        },
        erase: @escaping UserEraseRoute.Erase = { _, _, _ in "" },
        live: LiveSources = LiveSources(),
        retry: @escaping DeadLettersRetryRoute.Retry = { _, _, _ in LetterRetryReport() },
        onAccepted: @escaping @Sendable (Int32) -> Void = { _ in },
        onTreated: @escaping @Sendable (FieldCounts) -> Void = { _ in },
        onRefused: @escaping @Sendable (RefusalCode) -> Void = { _ in },
        onSampledOut: @escaping @Sendable () -> Void = {}
    ) {
        self.logger = logger
        let read = ReadGate(reading, configuration, logger: logger)
        let (servers, catalog, settings) = (reading.servers, reading.catalog, reading.configuration)
        let reports = ReportReader(catalog: catalog, reports: reading.reports, configuration: settings)
        let access = RequestAccess(
            keyRing: configuration.keys, verifier: verifier, isOpenOnLoopback: configuration.api.openOnLoopback,
            auth: configuration.auth, sessions: configuration.sessions)
        let sessions = SessionRoutes(configuration: configuration, access: access, logger: logger)
        // The one table of routes: what clients are told of each, and what answers it.
        let endpoints = HTTPRoute.allCases.compactMap { route -> Endpoint? in
            switch route {
            case .events: PostedItem.endpoint
            case .conversationSave:
                ConversationSaveRoute(
                    configuration: configuration, channel: channel, known: saves, reading: reading,
                    onAccepted: onAccepted, onTreated: onTreated, onRefused: onRefused, onSampledOut: onSampledOut
                ).endpoint
            case .checkout:
                CheckoutRoute(configuration: configuration, reading: reading, gate: read).endpoint
            case .productSearch: read(ProductSearchRoute(catalog: catalog, configuration: settings))
            case .funnels: read(FunnelsRoute(reader: reports))
            case .retention: read(RetentionRoute(reader: reports))
            case .sessions: read(SessionsRoute(reader: reports))
            case .paths: read(PathsRoute(reader: reports))
            case .eventQuery: read(EventQueryRoute(servers: servers, configuration: settings))
            case .packs: read(PacksRoute(catalog: catalog))
            case .counts: read(CountsRoute(source: .counters, catalog: catalog, configuration: settings))
            case .tops: read(TopsRoute(catalog: catalog, configuration: settings))
            case .uniques: read(UniquesRoute(catalog: catalog, configuration: settings))
            case .statusCounts: read(CountsRoute(source: .statusCounts, catalog: catalog, configuration: settings))
            case .entities: read(EntitiesRoute(catalog: catalog, configuration: settings))
            case .entity: read(EntityRoute(catalog: catalog, configuration: settings))
            case .conversations: read(ConversationsRoute(servers: servers, configuration: settings))
            case .conversationSearch: read(ConversationSearchRoute(servers: servers, configuration: settings))
            case .tail: TailRoute(reading: reading, configuration: configuration, live: live, gate: read).endpoint
            case .live: LiveRoute(configuration: configuration, live: live, gate: read).endpoint
            case .health: read(HealthRoute(reading))
            case .dashboard:
                read(DashboardRoute(catalog: catalog, identity: reading.identity, configuration: settings))
            case .livez: OperationalRoutes.livez
            case .readyz: OperationalRoutes.readyz(readiness)
            case .metrics: OperationalRoutes.metrics(metrics)
            case .latency: LatencyRoute(configuration, latencies: latencies).endpoint
            case .reload: ReloadRoute(reload: reload).endpoint
            case .userErase: UserEraseRoute(erase: erase, gate: read).endpoint
            case .database: read(DatabaseRoute(pool: reading.writing))
            case .months: read(MonthsRoute(pool: reading.writing))
            case .deadLetters: read(DeadLettersRoute(pool: reading.writing))
            case .deadLettersRetry:
                DeadLettersRetryRoute(configuration: configuration, gate: read, retry: retry).endpoint
            case .page where configuration.page.enabled: PageRoutes.page
            case .pageFile where configuration.page.enabled: PageRoutes.file
            case .session where configuration.page.enabled: sessions.session
            case .login where configuration.page.enabled: sessions.login
            case .logout where configuration.page.enabled: sessions.logout
            case .page, .pageFile, .session, .login, .logout: nil
            case .segment, .segmentPixel, .postHog, .postHogV1, .cloudEvents, .openTelemetryLogs, .featureFlags,
                .pixel, .snippet:
                SDKOperations.operation(route).map { Endpoint($0, respond: nil) }
            case .openAPI: Endpoint(OpenAPIDocument.operation, respond: nil)
            case .other: nil
            }
        }
        let description = Self.description(endpoints, catalog.definitions, configuration, access)
        respond = Self.responder(endpoints + [description], access, logger)
    }

    /// Answers the requests of one connection; returns when it ends.
    package func handle(_ channel: NIOAsyncChannel<HTTPRequestPart, HTTPResponsePart>) async {
        await Self.handle(channel, by: Live(self))
    }

    /// The same, each request by the routes that are then in force.
    package static func handle(
        _ channel: NIOAsyncChannel<HTTPRequestPart, HTTPResponsePart>, by routes: Live<APIRoutes>
    ) async {
        let connections = Connections { request, writer, channel in
            let response = await routes.value.respond(request, channel)
            try await writer.write(response: response.head, body: response.body)
        }
        await connections.handle(value: channel, logger: routes.value.logger)
    }

    /// Of the other endpoints: as long as no keys are wanted, and since.
    private static func description(
        _ endpoints: [Endpoint], _ packs: [PackDefinition], _ configuration: APIRoutesConfiguration,
        _ access: RequestAccess
    ) -> Endpoint {
        let documents = [false, true].map { wantsKeys in
            let document = OpenAPIDocument(
                operations: endpoints.map(\.operation), packs: packs, version: configuration.version,
                wantsKeys: wantsKeys, takesTokens: !access.verifier.isEmpty)
            return ByteBuffer(bytes: document.json)
        }
        return Endpoint(OpenAPIDocument.operation) { _, _ in
            Response(json: documents[access.keyRing.wantsKeys ? 1 : 0])
        }
    }

    private static func responder(
        _ endpoints: [Endpoint], _ access: RequestAccess, _ logger: Logger
    ) -> @Sendable (Request, any Channel) async -> Response {
        let router = Router(context: APIContext.self, options: .autoGenerateHeadEndpoints)
        for endpoint in endpoints {
            guard let respond = endpoint.respond else { continue }
            let operation = endpoint.operation
            router.on(endpoint.pattern, method: operation.route.method.request) { request, context in
                var context = context
                context.caller = try await access.caller(request, context, for: operation)
                return try await respond(request, context)
            }
        }
        let responder = router.buildResponder()
        let served = endpoints.map(\.operation.route)
        return { request, channel in
            let context = APIContext(source: ApplicationRequestContextSource(channel: channel, logger: logger))
            do {
                let response = try await responder.respond(to: request, context: context)
                // No route of ours answers 404; Hummingbird's own answer has another shape.
                return response.status == .notFound ? noRoute(request, served).response : response
            } catch let problem as APIProblem {
                return problem.response
            } catch {
                logger.error("request failed", metadata: [.path: "\(request.uri.path)", .error: "\(error)"])
                return APIProblem(.internalServerError, "internal_error", "the daemon failed; see its log").response
            }
        }
    }

    private static func noRoute(_ request: Request, _ served: [HTTPRoute]) -> APIProblem {
        let routes = served.filter { $0.match(request.uri.path) != nil }
        guard !routes.isEmpty else {
            return APIProblem(.notFound, "not_found", "there is no such route; /openapi.json lists them")
        }
        let allowed = routes.map { $0.method == .get ? "GET, HEAD" : $0.method.rawValue.uppercased() }.joined(
            separator: ", ")
        var problem = APIProblem(.methodNotAllowed, "method_not_allowed", "this route takes \(allowed)")
        problem.headers[.allow] = allowed
        return problem
    }
}

extension HTTPRoute.Method {
    fileprivate var request: HTTPRequest.Method {
        switch self {
        case .get: .get
        case .post: .post
        case .delete: .delete
        }
    }
}
