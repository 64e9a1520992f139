internal import HTTPTypes
internal import Hummingbird
internal import HummingbirdCore
package import Logging
package import MillraceEvent
package import MillraceTelemetry
package import NIOCore
package import NIOHTTPTypes

/// Every route except the intake's own, answered by Hummingbird on connections that the HTTP intake hands over.
package struct APIRoutes: Sendable {
    private struct Ready: Encodable {
        var status: String
        var reasons: [Readiness.Item]
        var notes: [Readiness.Item]
        var writing: Bool
        var reason: String?
        var since: String?
    }

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

    private let connections: Connections
    private let logger: Logger

    /// `readiness` is asked for each `/readyz`, `metrics` (Prometheus text) for each `/metrics`, `latencies` (since the
    /// start) for each `/debug/latency`. `onAccepted` and `onRefused` count conversation saves.
    package init(
        configuration: APIConfiguration, channel: RecordChannel, verifier: TokenVerifier, reading: Reading,
        logger: Logger,
        readiness: @escaping @Sendable () -> Readiness, metrics: @escaping @Sendable () async -> String,
        latencies: @escaping @Sendable () -> LatencySnapshot,
        onAccepted: @escaping @Sendable () -> Void = {}, onRefused: @escaping @Sendable (RefusalCode) -> Void = { _ in }
    ) {
        self.logger = logger
        let router = Router(context: APIContext.self, options: .autoGenerateHeadEndpoints)
        let save = ConversationSaveRoute(
            configuration: configuration, channel: channel, verifier: verifier, onAccepted: onAccepted,
            onRefused: onRefused)
        router.post("/api/v1/conversations/save") { request, _ in try await save.respond(request) }
        router.get("/livez") { _, _ in JSONAnswer.response(.ok, ["status": "alive"]) }
        router.get("/readyz") { _, _ in Self.ready(readiness()) }
        router.get("/metrics") { _, _ in
            Response(
                status: .ok, headers: [.contentType: "text/plain; version=0.0.4; charset=utf-8"],
                body: .init(byteBuffer: ByteBuffer(string: await metrics())))
        }
        let latency = LatencyRoute(configuration, latencies: latencies)
        router.get("/debug/latency") { request, _ in try await latency.respond(request) }
        let operations = ReadRoutes(
            reading, access: ReadAccess(verifier: verifier, isOpenOnLoopback: configuration.isOpenOnLoopback),
            retryAfterSeconds: configuration.retryAfterSeconds,
            version: configuration.version, logger: logger
        ).add(to: router)
        let responder = router.buildResponder()
        connections = Connections { request, writer, channel in
            let context = APIContext(source: ApplicationRequestContextSource(channel: channel, logger: logger))
            var response: Response
            do {
                response = try await responder.respond(to: request, context: context)
                // No route of ours answers 404; Hummingbird's own answer has another shape.
                if response.status == .notFound { response = try Self.noRoute(request, operations).response }
            } catch let problem as APIProblem {
                response = problem.response
            } catch {
                logger.error("request failed", metadata: ["path": "\(request.uri.path)", "error": "\(error)"])
                response = APIProblem(.internalServerError, "internal_error", "the daemon failed; see its log").response
            }
            try await writer.write(response: response.head, body: response.body)
        }
    }

    /// Answers the requests of one connection; returns when it ends.
    package func handle(_ channel: NIOAsyncChannel<HTTPRequestPart, HTTPResponsePart>) async {
        await connections.handle(value: channel, logger: logger)
    }

    private static func ready(_ readiness: Readiness) -> Response {
        let isReady = readiness.reasons.isEmpty
        return JSONAnswer.response(
            isReady ? .ok : .serviceUnavailable,
            Ready(
                status: isReady ? "ready" : "not_ready", reasons: readiness.reasons, notes: readiness.notes,
                writing: !(readiness.stall?.isTotal ?? false), reason: readiness.stall?.reason,
                since: readiness.stall?.since))
    }

    private static func noRoute(_ request: Request, _ operations: [APIOperation]) throws(APIProblem) -> APIProblem {
        var methods: [String] = []
        for operation in operations where try operation.match(request.uri.path) != nil {
            methods += operation.method == .get ? ["GET", "HEAD"] : ["POST"]
        }
        guard !methods.isEmpty else {
            return APIProblem(.notFound, "not_found", "there is no such route; /openapi.json lists them")
        }
        let allowed = methods.joined(separator: ", ")
        var problem = APIProblem(.methodNotAllowed, "method_not_allowed", "this route takes \(allowed)")
        problem.headers[.allow] = allowed
        return problem
    }
}
