internal import HTTPTypes
internal import Hummingbird
internal import Logging
internal import MillraceEvent
internal import MillracePostgres

/// The routes that read, each by its operation: who may, with which parameters, and what becomes of errors.
struct ReadRoutes: Sendable {
    fileprivate typealias Respond = @Sendable (RequestParameters) async throws -> Response

    private struct Endpoint: Sendable {
        let operation: APIOperation
        let respond: Respond

        init(_ operation: APIOperation, respond: @escaping Respond) {
            self.operation = operation
            self.respond = respond
        }
    }

    private let endpoints: [Endpoint]
    private let access: ReadAccess
    private let cursorKey: CursorKey
    private let retryAfterSeconds: Int
    private let logger: Logger
    private let document: @Sendable ([APIOperation]) -> OpenAPIDocument

    init(_ reading: Reading, access: ReadAccess, retryAfterSeconds: Int, version: String, logger: Logger) {
        let (pool, catalog, configuration) = (reading.pool, reading.catalog, reading.configuration)
        let events = EventQueryRoute(pool: pool, configuration: configuration)
        let packs = PacksRoute(catalog: catalog)
        let counts = CountsRoute(source: .counters, catalog: catalog, configuration: configuration)
        let statusCounts = CountsRoute(source: .statusCounts, catalog: catalog, configuration: configuration)
        let tops = TopsRoute(catalog: catalog, configuration: configuration)
        let uniques = UniquesRoute(catalog: catalog, configuration: configuration)
        let entities = EntitiesRoute(catalog: catalog, configuration: configuration)
        let entity = EntityRoute(catalog: catalog, configuration: configuration)
        let conversations = ConversationsRoute(pool: pool, configuration: configuration)
        let search = ConversationSearchRoute(pool: pool, configuration: configuration)
        let health = HealthRoute(
            pool: pool, identity: reading.identity, isStrict: configuration.isStrict, isWriting: reading.isWriting)
        let dashboard = DashboardRoute(catalog: catalog, identity: reading.identity, configuration: configuration)
        endpoints = [
            Endpoint(EventQueryRoute.operation) { try await events.respond($0) },
            Endpoint(PacksRoute.operation) { try await packs.respond($0) },
            Endpoint(CountsRoute.operation) { try await counts.respond($0) },
            Endpoint(TopsRoute.operation) { try await tops.respond($0) },
            Endpoint(UniquesRoute.operation) { try await uniques.respond($0) },
            Endpoint(CountsRoute.statusOperation) { try await statusCounts.respond($0) },
            Endpoint(EntitiesRoute.operation) { try await entities.respond($0) },
            Endpoint(EntityRoute.operation) { try await entity.respond($0) },
            Endpoint(ConversationsRoute.operation) { try await conversations.respond($0) },
            Endpoint(ConversationSearchRoute.operation) { try await search.respond($0) },
            Endpoint(HealthRoute.operation) { _ in await health.respond() },
            Endpoint(DashboardRoute.operation) { _ in try await dashboard.respond() },
        ]
        self.access = access
        cursorKey = configuration.cursorKey
        self.retryAfterSeconds = retryAfterSeconds
        self.logger = logger
        document = { operations in
            OpenAPIDocument(
                operations: operations, packs: catalog.definitions, version: version, isOpen: access.verifier.isEmpty)
        }
    }

    /// Returns every operation there is, those of other parts included.
    func add(to router: Router<APIContext>) -> [APIOperation] {
        for endpoint in endpoints {
            router.get(RouterPath(endpoint.operation.pattern)) { request, context in
                try await respond(endpoint.operation, endpoint.respond, request, context)
            }
        }
        let operations =
            [FixedOperations.postEvents, FixedOperations.saveConversation] + endpoints.map(\.operation)
            + FixedOperations.operations
        let description = document(operations).json
        router.get(RouterPath(FixedOperations.openAPI.pattern)) { _, _ in APIAnswer.response(description) }
        return operations
    }

    private func respond(
        _ operation: APIOperation, _ respond: Respond, _ request: Request, _ context: APIContext
    ) async throws -> Response {
        if case .read = operation.access { try await access.check(request, context) }
        let parameters = try RequestParameters(
            operation, path: operation.match(request.uri.path) ?? [:], query: request.uri.query,
            cursorKey: cursorKey)
        do {
            return try await respond(parameters)
        } catch is MemoryShortage {
            throw unavailable(MemoryShortage.code, MemoryShortage.message)
        } catch let refusal as ReadRefusal {
            throw unavailable(refusal.rawValue, refusal.message)
        } catch let error as PostgresError {
            throw problem(error, operation)
        }
    }

    private func problem(_ error: PostgresError, _ operation: APIOperation) -> APIProblem {
        if error.sqlState == .queryCanceled || error.code == .timedOut {
            return unavailable(
                "query_timeout",
                "PostgreSQL took longer than api.statement_timeout; ask for less: a shorter time range, further filters"
            )
        }
        if error.code == .interrupted { return unavailable("draining", ReadRefusal.draining.message) }
        logger.warning("read failed", metadata: ["route": "\(operation.path)", "error": "\(error)"])
        if error.isOfSize {
            return APIProblem(
                .internalServerError, APIProblem.rowTooLargeCode,
                "a row of this answer is too large for PostgreSQL to print; ask for less: fewer rows, another time range; "
                    + "or shorten it")
        }
        if error.code == .connectionFailed || error.isRetryable {
            return unavailable("database_down", "PostgreSQL does not answer; intake goes on; try later")
        }
        return unavailable(
            "database_refused", "PostgreSQL refuses (SQLSTATE \(error.sqlState?.rawValue ?? "unknown")). \(error.hint)")
    }

    private func unavailable(_ code: String, _ message: String) -> APIProblem {
        APIProblem(code, message, retryAfterSeconds: retryAfterSeconds)
    }
}
