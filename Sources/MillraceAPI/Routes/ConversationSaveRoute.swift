internal import HTTPTypes
internal import Hummingbird
internal import MillraceAccess
internal import MillraceChannels
internal import MillraceEvent
internal import MillraceJSON
internal import MillracePostgres
internal import MillraceRoutes
internal import MillraceTreatment
internal import NIOCore

/// `POST /api/v1/conversations/save`: one conversation, by its own user (or a service), durable before the answer.
struct ConversationSaveRoute: Sendable {
    private static let operation = APIOperation(
        .conversationSave, id: "saveConversation", tag: "conversations",
        summary: "One question and its answer, by its user or a service", access: .write,
        parameters: [PostedItem.position],
        body: APIOperation.Body(
            schemas: [("application/json", PostedItem.conversation.reference)], components: [PostedItem.conversation]),
        answer: .init(Saved.self), successes: [(201, "Durable; the same again answers the same id")],
        furtherFailures: [
            (409, "Another user's save has the same conversation, time and question"),
            (413, "Too large"), (415, "Unknown type or encoding"),
            (503, "The spool is full, or the daemon stops; try later"),
        ])

    let configuration: APIRoutesConfiguration
    let channel: RecordChannel
    let known: KnownSaves
    let reading: Reading
    let onAccepted: @Sendable (Int32) -> Void
    let onTreated: @Sendable (FieldCounts) -> Void
    let onRefused: @Sendable (RefusalCode) -> Void
    let onSampledOut: @Sendable () -> Void

    var endpoint: Endpoint {
        Endpoint(Self.operation) { request, context in
            let query = request.uri.query ?? ""
            let wantsPosition = query.split(separator: "&").contains("position=true")
            return try await respond(request, by: context.caller, wantsPosition: wantsPosition)
        }
    }

    private func respond(_ request: Request, by caller: Caller, wantsPosition: Bool) async throws -> Response {
        try caller.requireType(EventTypeFilter.conversationSave, "conversation saves")
        let posted = PostedBody(configuration: configuration, what: "a conversation")
        try posted.checkType(of: request)
        if let refusal = channel.refusal { throw problem(refusal) }
        let receivedAt = Timestamp.now
        let memory = MemoryReservation(configuration.memory, for: .bodies)
        defer { memory.count(0) }
        let sent = try parse(await posted.read(from: request, by: caller, memory), receivedAt: receivedAt)
        guard caller.mayWrite(for: sent.userID) else {
            throw APIProblem(.forbidden, "wrong_user", "user_id must be the token's sub")
        }
        var written: [UInt8] = []
        let (fate, save) = try self.fate(of: sent, caller.tenant, receivedAt: receivedAt, into: &written)
        // One that is set aside becomes this row once it is retried.
        let setAside = Saved(
            id: "\(configuration.policy?.id(of: sent, tenant: caller.tenant) ?? sent.id(tenant: caller.tenant))")
        switch fate {
        case .sampleOut:
            onSampledOut()
            return Response(setAside, status: .created)
        case .quarantine:
            _ = try await spool(written, .refused, by: caller, receivedAt: receivedAt)
            return Response(setAside, status: .created)
        case .replace(let counts): onTreated(counts)
        case .keep: break
        }
        let id = save.id(tenant: caller.tenant)
        // One without a time has that of its arrival, which no other has.
        let sequences =
            save.createdAt == receivedAt
            ? try await spool(Self.line(save), .conversation, by: caller, receivedAt: receivedAt)
            : try await spoolKnown(save, id: id, by: caller, receivedAt: receivedAt)
        onAccepted(caller.tenant)
        caller.grant?.use.countLines(1)
        var saved = Saved(id: "\(id)")
        if wantsPosition, let last = sequences.last {
            saved.position = reading.configuration.positions?.text(
                sequences.lowerBound...last, tenant: caller.tenant)
        }
        return Response(saved, status: .created)
    }

    /// What becomes of a save, and what is kept of it. Throws where it is refused.
    private func fate(
        of save: ConversationSave, _ tenant: Int32, receivedAt: Timestamp, into written: inout [UInt8]
    ) throws -> (LinePolicy.Fate, ConversationSave) {
        guard let policy = configuration.policy else { return (.keep, save) }
        do {
            return try policy.fate(
                of: save, line: Self.line(save), tenant: tenant, peer: "http", receivedAt: receivedAt, into: &written)
        } catch {
            onRefused(error.code)
            throw APIProblem(error)
        }
    }

    /// Unless another user's save has this id. That is known of the latest saves here, and of all that are in PostgreSQL,
    /// where it can be asked.
    private func spoolKnown(
        _ save: ConversationSave, id: UniqueID, by caller: Caller, receivedAt: Timestamp
    ) async throws -> Range<UInt64> {
        let entry = (id: id, user: save.userID)
        let standing = known.enter(entry)
        // The table is right where it has the row: what was taken while PostgreSQL was away may have lost to it.
        let stored = await storedUser(of: save, id: id, caller.tenant)
        if stored.map({ $0 != save.userID }) ?? (standing == .conflict) {
            if standing == .unknown { known.forget(entry) }
            throw Self.conflict
        }
        let sequences: Range<UInt64>
        do {
            sequences = try await spool(Self.line(save), .conversation, by: caller, receivedAt: receivedAt)
        } catch {
            if standing == .unknown { known.forget(entry) }
            throw error
        }
        if standing == .unknown { await known.taken(entry) }
        return sequences
    }

    private static let conflict = APIProblem(
        .conflict, "conversation_conflict",
        "another user_id saved this question in this conversation at this time; nothing was kept. A save is known by its "
            + "conversation_id, timestamp and question: send another timestamp, or that user_id")

    /// Nil where the row is not there, or can't be asked for: PostgreSQL's absence keeps no save out.
    private func storedUser(of save: ConversationSave, id: UniqueID, _ tenant: Int32) async -> UniqueID? {
        guard reading.isWriting() else { return nil }
        var statement = SQLStatement("SELECT user_id FROM public.conversations WHERE")
        let time = statement.bind(save.createdAt.rfc3339, as: "timestamptz", named: "timestamp")
        statement.append("created_at = \(time) AND id = \(statement.bind("\(id)", as: "uuid", named: "id"))")
        statement.append("AND tenant_id = \(tenant)")
        let question = statement
        let stored = try? await reading.servers.primary.read(.conversationSave, of: tenant) { connection -> String? in
            let rows = try question.run(on: connection)
            return rows.rowCount > 0 ? rows.string(0, 0) : nil
        }
        return stored.flatMap(\.self).flatMap { UniqueID($0) }
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

    /// Returns its sequence.
    private func spool(
        _ line: [UInt8], _ kind: RecordKind, by caller: Caller, receivedAt: Timestamp
    ) async throws -> Range<UInt64> {
        let record = Record(
            kind: kind, tenant: caller.tenant, receivedAt: receivedAt, count: 1, bytes: line + [UInt8(ascii: "\n")])
        let outcome = await withCheckedContinuation { continuation in
            var submission = Submission(records: [record]) { continuation.resume(returning: $0) }
            submission.lane = caller.grant?.use.lane ?? 0
            channel.send(submission)
        }
        switch outcome {
        case .durable(let sequences), .committed(let sequences, _): return sequences
        case .failed(let refusal): throw problem(refusal)
        }
    }

    /// As a line of the spool without its newline, always with its time: the id depends on it, and a replay must derive the
    /// same one.
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
        json.append(raw: "}")
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
    var position: String?

    static let fields: [JSONField<Self>] = [
        JSONField("id", \.id, as: .uuid), JSONField("status", \.status),
        JSONField("position", optional: \.position, doc: AcceptedEvents.positionDoc),
    ]
}
