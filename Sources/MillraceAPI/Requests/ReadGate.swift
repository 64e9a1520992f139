internal import HTTPTypes
internal import Hummingbird
internal import Logging
internal import MillraceAccess
internal import MillraceChannels
internal import MillraceEvent
internal import MillracePostgres
internal import MillraceRoutes
internal import MillraceTelemetry
internal import NIOCore

/// A route that reads, with parameters that its operation declares.
protocol ReadingRoute: Sendable {
    static var operation: APIOperation { get }
    /// The same, except where a type has several.
    var operation: APIOperation { get }

    /// Throws `APIProblem`, and errors of the pool, which `ReadGate` turns into answers.
    func respond(_ parameters: RequestParameters) async throws -> Response
}

extension ReadingRoute {
    var operation: APIOperation { Self.operation }
}

/// What all routes that read have in common: their parameters, and what becomes of errors.
struct ReadGate: Sendable {
    private let cursorKey: CursorKey
    private let retryAfterSeconds: Int
    private let fieldKeys: FieldKeys?
    private let servers: ReadServers
    private let positions: PositionSeal?
    private let logger: Logger

    init(_ reading: Reading, _ configuration: APIRoutesConfiguration, logger: Logger) {
        cursorKey = reading.configuration.cursorKey
        retryAfterSeconds = configuration.retryAfterSeconds
        fieldKeys = reading.configuration.fieldKeys
        servers = reading.servers
        positions = reading.configuration.positions
        self.logger = logger
    }

    /// An endpoint that `route` answers.
    func callAsFunction(_ route: some ReadingRoute) -> Endpoint {
        let operation = route.operation
        return Endpoint(operation) { request, context in
            let parameters = try RequestParameters(
                operation, path: request.uri.path, query: request.uri.query, of: context.caller, cursorKey: cursorKey)
            guard operation.route.readsReplicas else {
                let response = try await answer(of: operation) { try await route.respond(parameters) }
                return opened(response, for: context.caller)
            }
            let position = try position(of: parameters)
            let (answered, place) = try await answer(of: operation) {
                try await servers.reading(after: position) { try await route.respond(parameters) }
            }
            var response = answered
            if let name = HTTPField.Name("X-Replica-Lag") { response.headers[name] = place.lagText }
            return opened(response, for: context.caller)
        }
    }

    /// Of `after`. Throws `APIProblem`.
    private func position(of parameters: RequestParameters) throws(APIProblem) -> AckPosition? {
        guard let text = parameters.text("after") else { return nil }
        if let position = positions?.position(text, tenant: parameters.tenant) { return position }
        throw APIProblem(
            .badRequest, "invalid_position",
            "after is no position that this daemon gave to this tenant: it is `position` in the answer to what was posted "
                + "with ?position=true; daemons that share a name need the same api.cursor_key")
    }

    /// An endpoint whose answer goes on until somebody ends it; it opens encrypted values itself.
    func stream(
        _ operation: APIOperation,
        _ respond: @escaping @Sendable (RequestParameters, Request, APIContext) async throws -> Response
    ) -> Endpoint {
        Endpoint(operation) { request, context in
            let parameters = try RequestParameters(
                operation, path: request.uri.path, query: request.uri.query, of: context.caller, cursorKey: cursorKey)
            return try await answer(of: operation) { try await respond(parameters, request, context) }
        }
    }

    /// With encrypted values in plain text, for who may see them.
    private func opened(_ response: Response, for caller: Caller) -> Response {
        guard let fieldKeys, caller.may(.decrypt) else { return response }
        let opener = FieldOpener(fieldKeys, tenant: caller.tenant)
        var response = response
        // No string is cut between two pieces.
        response.body = response.body.map { piece in
            piece.withUnsafeReadableBytes { opener.opened(json: $0) }.map { ByteBuffer(bytes: $0) } ?? piece
        }
        // Of the body as it was.
        response.headers[.contentLength] = nil
        return response
    }

    /// Runs `body`; errors of a pool and of PostgreSQL are thrown as `APIProblem`.
    func answer<Answer>(of operation: APIOperation, _ body: () async throws -> Answer) async throws -> Answer {
        do {
            return try await body()
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
        logger.warning("read failed", metadata: [.route: "\(operation.route.path)", .error: "\(error)"])
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
