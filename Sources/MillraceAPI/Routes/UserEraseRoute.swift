internal import Hummingbird
internal import MillraceJSON
package import MillracePostgres
internal import MillraceRoutes

/// `DELETE /v1/users/{id}`: queues the erasure of a user, which the daemon carries out.
package struct UserEraseRoute: Sendable {
    /// The user's id or the tenant's own, the tenant, and who asks. Returns the id of the erasure.
    package typealias Erase = @Sendable (_ user: String, _ tenant: Int32, _ actor: AuditActor) async throws -> String

    private static let idBytesMax = 200

    private static let operation = APIOperation(
        .userErase, id: "eraseUser", tag: "operations",
        summary: "Erases a user: queued at once, carried out by the daemon; asked again, the erasure that is under way",
        access: .admin,
        pathParameters: [
            APIParameter(
                "id", .text(bytesMax: idBytesMax), "The user_id, or the tenant's own id of the user", isRequired: true)
        ],
        answer: .init(QueuedErasure.self), successes: [(202, "Queued")],
        furtherFailures: [(503, "The database is not there; try later")])

    let erase: Erase
    let gate: ReadGate

    var endpoint: Endpoint {
        Endpoint(Self.operation) { request, context in
            let named = Self.operation.route.match(request.uri.path)?.first?.value ?? ""
            let user = try RequestQuery.decoded(named, plusIsBlank: false)
            guard !user.isEmpty, user.utf8.count <= Self.idBytesMax,
                !user.unicodeScalars.contains(where: { $0.value < 0x20 })
            else {
                throw RequestParameters.invalid(
                    "id", "the user's id, 1 to \(Self.idBytesMax) bytes without control characters")
            }
            let (caller, actor) = (context.caller, context.caller.actor(at: context.peer))
            return try await gate.answer(of: Self.operation) {
                Response(QueuedErasure(erasure: try await erase(user, caller.tenant, actor)), status: .accepted)
            }
        }
    }
}

/// What `DELETE /v1/users/{id}` answers.
struct QueuedErasure: JSONShape {
    static let name = "QueuedErasure"
    static let fields: [JSONField<Self>] = [
        JSONField("erasure", \.erasure, doc: "Its id; `millrace users list` shows how far it is")
    ]

    var erasure: String
}
