internal import FoundationEssentials
internal import HTTPTypes
internal import Hummingbird
internal import MillraceAccess
internal import MillraceChannels
internal import MillraceEvent
internal import MillraceJSON
internal import MillracePostgres
internal import MillraceRoutes
internal import NIOCore

/// `POST /v1/checkout`: makes an order of a user's cart, in one transaction of PostgreSQL, by the user or a service. The key
/// makes it once, so a request whose answer got lost is sent again.
struct CheckoutRoute: Sendable {
    private static let keyBytesMax = 255

    private static let operation = APIOperation(
        .checkout, id: "checkout", tag: "commerce",
        summary: "Makes an order of the user's cart, once for a key, by the user or a service", access: .write,
        headers: [
            APIParameter(
                "Idempotency-Key", .text(bytesMax: keyBytesMax),
                "Of this order: the same key again gets the same order", isRequired: true,
                example: "order-2026-11-21-1")
        ],
        body: APIOperation.Body(
            schemas: [("application/json", posted.reference)], components: [posted],
            example: ["user_id": "843d440a-a7a7-45ee-96df-3568c37384b9"]),
        answer: placed, successes: [(201, "Ordered; the same key again answers the same order")],
        furtherFailures: [
            (404, "The pack commerce is not loaded"),
            (409, "Refused by the cart or the stock: MR001, MR002, MR003"), (413, "Too large"),
            (415, "Unknown type or encoding"), (422, "The key belongs to an order of another user: MR004"),
            (503, "The database or a connection to it is not there; try later"),
        ], errorAnswer: .init(RefusedCheckout.self))

    private static let posted = APIOperation.Component(
        name: "Checkout", schema: .object([("user_id", .uuid)], required: ["user_id"]))

    private static let placed = APIOperation.Component(
        name: "PlacedOrder",
        schema: .object(
            [
                ("id", .uuid), ("user_id", .uuid), ("status", .text), ("total_amount", .text),
                ("idempotency_key", .text),
                ("created_at", .time), ("updated_at", .time),
            ], required: ["id", "user_id", "status", "total_amount", "idempotency_key", "created_at", "updated_at"]))

    private static let statement = """
        SELECT id, user_id, status::text AS status, total_amount, idempotency_key, created_at, updated_at
        FROM projections.commerce_checkout($1::uuid, $2::text, $3::integer)
        """

    let configuration: APIRoutesConfiguration
    let reading: Reading
    let gate: ReadGate

    var endpoint: Endpoint {
        Endpoint(Self.operation) { request, context in try await respond(request, by: context.caller) }
    }

    private func respond(_ request: Request, by caller: Caller) async throws -> Response {
        try caller.requireType(EventTypeFilter.checkout, "checkouts")
        let posted = PostedBody(configuration: configuration, what: "a checkout")
        try posted.checkType(of: request)
        let key = try Self.key(of: request)
        let memory = MemoryReservation(configuration.memory, for: .bodies)
        defer { memory.count(0) }
        let user = try Self.user(in: await posted.read(from: request, by: caller, memory))
        guard caller.mayWrite(for: user) else {
            throw APIProblem(.forbidden, "wrong_user", "user_id must be the token's sub")
        }
        return try await gate.answer(of: Self.operation) { try await order(user, key, of: caller.tenant) }
    }

    private func order(_ user: UniqueID, _ key: String, of tenant: Int32) async throws -> Response {
        try await reading.catalog.read(.checkout) { live in
            _ = try reading.catalog.pack("commerce", in: live)
            do {
                let order = try await reading.writing.read(.checkout, of: tenant) { connection in
                    let rows = try connection.query(
                        Self.statement, parameters: [.text("\(user)"), .text(key), .integer(tenant)])
                    var order = ByteBuffer()
                    ResultRows(rows).write(0, of: rows, to: &order)
                    return order
                }
                return Response(json: order, status: .created)
            } catch let error as PostgresError {
                guard let refusal = RefusedCheckout(error) else { throw error }
                return refusal.response
            }
        }
    }

    private static func key(of request: Request) throws(APIProblem) -> String {
        guard let name = HTTPField.Name("Idempotency-Key"), let key = request.headers[name], !key.isEmpty else {
            throw APIProblem(
                .badRequest, "missing_idempotency_key",
                "Idempotency-Key is wanted: make one for each order, and send the same one when you try again")
        }
        guard key.utf8.count <= keyBytesMax else {
            throw APIProblem(
                .badRequest, "invalid_idempotency_key", "Idempotency-Key must be 1 to \(keyBytesMax) bytes")
        }
        return key
    }

    private static func user(in body: ByteBuffer) throws(APIProblem) -> UniqueID {
        struct Posted: Decodable {
            var user_id: String?
        }
        let posted: Posted
        do {
            posted = try JSONDecoder().decode(Posted.self, from: Data(body.readableBytesView))
        } catch {
            throw APIProblem(.badRequest, "invalid_json", "the body must be a JSON object with user_id")
        }
        guard let user = posted.user_id.flatMap({ UniqueID($0) }) else {
            throw APIProblem(
                .badRequest, "invalid_user_id", "user_id must be a UUID, such as 843d440a-a7a7-45ee-96df-3568c37384b9")
        }
        return user
    }
}

/// Why there is no order.
private struct RefusedCheckout: JSONShape {
    private struct Detail: JSONShape {
        var code: String
        var message: String
        /// What `commerce_checkout` says besides, a JSON object.
        var members: [JSONScanner.Member]

        static let fields: [JSONField<Self>] = [
            JSONField("code", \.code), JSONField("message", \.message),
            .others(.scalar, doc: "Of MR001 and MR002: `product_id`; of MR001 `wanted` and `left`") { detail, json in
                for member in detail.members {
                    json.append(name: member.name)
                    json.append(raw: Array(member.value))
                }
            },
        ]
    }

    private static let statuses: [String: HTTPResponse.Status] = [
        "MR001": .conflict, "MR002": .conflict, "MR003": .conflict, "MR004": .unprocessableContent,
    ]

    private var error: Detail
    private var status: HTTPResponse.Status

    /// Nil for an error that is no refusal of `commerce_checkout`.
    init?(_ error: PostgresError) {
        guard let code = error.sqlState?.rawValue, let status = Self.statuses[code] else { return nil }
        self.status = status
        self.error = Detail(
            code: code, message: error.message,
            members: error.detail.map { JSONScanner.members(Array($0.utf8)[...]) } ?? [])
    }

    static let fields: [JSONField<Self>] = [JSONField("error", \.error)]

    var response: Response { Response(self, status: status) }
}
