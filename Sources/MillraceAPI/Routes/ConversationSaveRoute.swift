internal import HTTPTypes
internal import Hummingbird
internal import MillraceChannels
internal import MillraceEvent
internal import MillraceJSON
internal import MillraceRoutes
internal import NIOCore

/// `POST /api/v1/conversations/save`: one conversation, by its own user (or a service), durable before the answer.
struct ConversationSaveRoute: Sendable {
    private static let operation = APIOperation(
        .conversationSave, id: "saveConversation", tag: "conversations",
        summary: "One question and its answer, by its user or a service", access: .user,
        body: APIOperation.Body(
            schemas: [("application/json", PostedItem.conversation.reference)], components: [PostedItem.conversation]),
        answer: .init(Saved.self), successes: [(201, "Durable; the same again answers the same id")],
        furtherFailures: [
            (413, "Too large"), (415, "Unknown type or encoding"),
            (503, "The spool is full, or the daemon stops; try later"),
        ])

    let configuration: APIRoutesConfiguration
    let channel: RecordChannel
    let verifier: TokenVerifier
    let onAccepted: @Sendable () -> Void
    let onRefused: @Sendable (RefusalCode) -> Void

    var endpoint: Endpoint { Endpoint(Self.operation) { request, _ in try await respond(request) } }

    private func respond(_ request: Request) async throws -> Response {
        let caller = try await verifier.caller(of: request)
        let posted = PostedBody(configuration: configuration, what: "a conversation")
        try posted.checkType(of: request)
        if let refusal = channel.refusal { throw problem(refusal) }
        let receivedAt = Timestamp.now
        let memory = MemoryReservation(configuration.memory, for: .bodies)
        defer { memory.count(0) }
        let save = try parse(await posted.read(from: request, memory), receivedAt: receivedAt)
        guard caller.isService || caller.userID == save.userID else {
            throw APIProblem(.forbidden, "wrong_user", "user_id must be the token's sub")
        }
        try await spool(save, receivedAt: receivedAt)
        onAccepted()
        return Response(Saved(id: "\(save.id(tenant: configuration.tenant))"), status: .created)
    }

    private func parse(_ body: ByteBuffer, receivedAt: Timestamp) throws -> ConversationSave {
        do {
            var body = body
            if body.readableBytesView.starts(with: [0xEF, 0xBB, 0xBF]) { body.moveReaderIndex(forwardBy: 3) }
            return try EventParser().parseConversation(
                body.readableBytesView, limits: configuration.eventLimits, receivedAt: receivedAt)
        } catch {
            onRefused(error.code)
            throw APIProblem(error)
        }
    }

    private func spool(_ save: ConversationSave, receivedAt: Timestamp) async throws {
        let record = Record(
            kind: .conversation, tenant: configuration.tenant, receivedAt: receivedAt, count: 1,
            bytes: Self.line(save))
        let outcome = await withCheckedContinuation { continuation in
            channel.send(Submission(records: [record]) { continuation.resume(returning: $0) })
        }
        if case .failed(let refusal) = outcome { throw problem(refusal) }
    }

    /// As a line of the spool, always with its time: the id depends on it, and a replay must derive the same one.
    private static func line(_ save: ConversationSave) -> [UInt8] {
        var json = JSONWriter()
        json.append(raw: "{")
        for (name, text) in [
            ("conversation_id", save.conversationID), ("question", save.question), ("response", save.response),
            ("user_id", "\(save.userID)"), ("timestamp", save.createdAt.rfc3339), ("source", save.source),
        ] {
            json.append(name: name)
            json.append(text)
        }
        json.append(name: "metadata")
        // Outside of strings, where alone they can be, line breaks are white space.
        json.append(raw: save.metadata.utf8.map { $0 == 0x0A ? 0x20 : $0 })
        json.append(raw: "}\n")
        return json.bytes
    }

    private func problem(_ refusal: SpoolRefusal) -> APIProblem {
        APIProblem(refusal, retryAfterSeconds: configuration.retryAfterSeconds)
    }
}

private struct Saved: JSONShape {
    enum Status: String, JSONChoice {
        case saved
    }

    var id: String
    var status = Status.saved

    static let fields: [JSONField<Self>] = [JSONField("id", \.id, as: .uuid), JSONField("status", \.status)]
}
