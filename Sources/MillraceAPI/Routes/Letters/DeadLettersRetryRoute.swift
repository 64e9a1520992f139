internal import FoundationEssentials
internal import Hummingbird
internal import MillraceChannels
package import MillraceEvent
package import MillraceJSON
package import MillracePostgres
internal import MillraceRoutes
internal import NIOCore
internal import Synchronization

/// `POST /v1/dead-letters/retry`: writes some of the tenant's dead letters again.
package struct DeadLettersRetryRoute: Sendable {
    /// The letters' ids, whose they must be, and who asks. Throws `PostgresError`, and `LetterRetryRefusal`.
    package typealias Retry =
        @Sendable (_ ids: [UniqueID], _ tenant: Int32, _ actor: AuditActor) async throws ->
        LetterRetryReport

    /// A transaction of the retry.
    private static let idsMax = 500

    private static let operation = APIOperation(
        .deadLettersRetry, id: "retryDeadLetters", tag: "operations",
        summary: "Writes these dead letters again, as `millrace dead-letters retry` does", access: .admin,
        body: APIOperation.Body(
            schemas: [("application/json", .object([("ids", .array(of: .uuid))], required: ["ids"]))], components: [],
            example: ["ids": ["3f0c1a9e-0000-4000-8000-000000000000"]]),
        answer: .init(LetterRetryReport.self),
        furtherFailures: [
            (409, "Nothing was done: see the message"), (413, "Too large"), (415, "Unknown type or encoding"),
            (503, "The database is not there, or another retry runs; try later"),
        ], isOfPage: true)

    /// One retry at a time.
    private final class Turn: Sendable {
        let isTaken = Atomic<Bool>(false)
    }

    let configuration: APIRoutesConfiguration
    let gate: ReadGate
    let retry: Retry
    private let turn = Turn()

    init(configuration: APIRoutesConfiguration, gate: ReadGate, retry: @escaping Retry) {
        self.configuration = configuration
        self.gate = gate
        self.retry = retry
    }

    var endpoint: Endpoint {
        Endpoint(Self.operation) { request, context in
            let posted = PostedBody(configuration: configuration, what: "a list of ids")
            try posted.checkType(of: request)
            let memory = MemoryReservation(configuration.memory, for: .bodies)
            defer { memory.count(0) }
            let ids = try Self.ids(in: await posted.read(from: request, by: context.caller, memory))
            let (tenant, actor) = (context.caller.tenant, context.caller.actor(at: context.peer))
            guard !turn.isTaken.exchange(true, ordering: .acquiring) else {
                throw APIProblem(
                    "retry_running", "another retry of dead letters runs; try again when it is over",
                    retryAfterSeconds: configuration.retryAfterSeconds)
            }
            defer { turn.isTaken.store(false, ordering: .releasing) }
            return try await gate.answer(of: Self.operation) {
                do {
                    return Response(try await retry(ids, tenant, actor))
                } catch let refusal as LetterRetryRefusal {
                    throw APIProblem(.conflict, LetterRetryRefusal.code, refusal.message)
                }
            }
        }
    }

    private static func ids(in body: ByteBuffer) throws(APIProblem) -> [UniqueID] {
        let members = try? JSONDecoder().decode([String: [String]].self, from: Data(body.readableBytesView))
        guard let texts = members?["ids"], members?.count == 1 else {
            throw APIProblem(
                .badRequest, "invalid_json", "the body must be a JSON object with ids alone, an array of UUIDs")
        }
        let ids = texts.compactMap { UniqueID($0) }
        guard ids.count == texts.count, (1...idsMax).contains(ids.count) else {
            throw APIProblem(
                .badRequest, "invalid_value", "ids must be 1 to \(idsMax) UUIDs, as GET /v1/dead-letters shows them")
        }
        return ids
    }
}

/// Why no letter was looked at.
package struct LetterRetryRefusal: Error, Sendable, CustomStringConvertible {
    static let code = "retry_refused"

    /// With the next step.
    package var message: String

    package init(message: String) {
        self.message = message
    }

    package var description: String { message }
}

/// What became of letters that were written again.
package struct LetterRetryReport: JSONShape, Encodable, Equatable {
    package struct Refused: JSONShape, Encodable, Equatable {
        package var id: String
        package var code: String
        package var message: String

        package init(id: String, code: String, message: String) {
            self.id = id
            self.code = code
            self.message = message
        }

        package static let name = "RefusedLetter"

        package static let fields: [JSONField<Self>] = [
            JSONField("id", \.id, as: .uuid), JSONField("code", \.code), JSONField("message", \.message),
        ]
    }

    /// Letters that were looked at.
    package var retried = 0
    /// Rows that went in.
    package var committed = 0
    /// Rows that were there already.
    package var duplicates = 0
    /// Letters that stay, with the new reason.
    package var refused = 0
    /// Letters without a whole line: purged meanwhile, lost, or too long to have been kept.
    package var skipped = 0
    /// The first ones.
    package var refusals: [Refused] = []

    package init() {}

    package static let fields: [JSONField<Self>] = [
        JSONField("retried", \.retried, doc: "Open letters of the tenant among those asked for"),
        JSONField("committed", \.committed, doc: "Rows that went in"),
        JSONField("duplicates", \.duplicates, doc: "Rows that were there already"),
        JSONField("refused", \.refused, doc: "Letters that stay, with the new reason"),
        JSONField("skipped", \.skipped, doc: "Letters without a whole line"),
        JSONField("refusals", \.refusals, doc: "The first ones"),
    ]
}
