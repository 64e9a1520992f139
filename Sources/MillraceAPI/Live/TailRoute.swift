internal import HTTPTypes
internal import Hummingbird
internal import MillraceAccess
internal import MillraceChannels
internal import MillraceEvent
internal import MillraceJSON
internal import MillraceRoutes
internal import NIOCore

/// `GET /v1/tail`: committed events as they come.
struct TailRoute: Sendable {
    static let operation = APIOperation(
        .tail, id: "tail", tag: "live",
        summary: "Events as they are committed, as server-sent events that go on until the client ends them",
        access: .read,
        parameters: [
            APIParameter("type", .text(bytesMax: 200), "Only of this event_type", example: "page.viewed"),
            ReadParameters.user,
            APIParameter(
                "payload", .object,
                "Only whose payload contains this JSON object (`@>`), which has \(patternValuesMax) values at most",
                example: #"{"path":"/"}"#),
            APIParameter("since", .time, "Begins with the latest events that are no older, live.catch_up_rows at most"),
        ],
        headers: [
            APIParameter(
                "Last-Event-ID", .integer(0...Int.max),
                "Goes on after this `id` of a stream before; some events may come once more")
        ],
        furtherFailures: [(503, "live.streams_max streams are open; try later")], textType: "text/event-stream")

    /// Values of a pattern: each event is held against all of them.
    static let patternValuesMax = 100

    let reading: Reading
    let configuration: APIRoutesConfiguration
    let live: LiveSources
    let gate: ReadGate

    var endpoint: Endpoint {
        gate.stream(Self.operation) { parameters, request, context in try await respond(parameters, request, context) }
    }

    private func respond(
        _ parameters: RequestParameters, _ request: Request, _ context: APIContext
    ) async throws -> Response {
        let streams = configuration.streams
        guard let place = live.streams.enterTail(max: streams.streamsMax) else {
            throw LiveSources.tooMany(configuration)
        }
        let payload = try parameters.text("payload").map { try pattern($0) }
        let filter = FeedFilter(
            tenant: parameters.tenant, type: parameters.text("type"),
            userID: parameters.text("user_id").flatMap { UniqueID($0) }, payload: payload)
        let signal = StreamSignal()
        // Before the past is read, so that nothing lies between the two.
        let tail = TailPlace(
            live.feed.subscribe(
                filter, bytesMax: streams.queueBytes, memory: configuration.memory, wake: { signal.wake() }))
        let source = TailSource(
            place: tail, past: try await past(parameters, request),
            opener: parameters.caller.may(.decrypt)
                ? reading.configuration.fieldKeys.map { FieldOpener($0, tenant: parameters.tenant) } : nil)
        return EventStream(
            source: source, signal: signal, access: StreamAccess(configuration.keys, parameters.caller),
            interval: streams.heartbeat, heartbeat: streams.heartbeat, channel: context.channel, place: place
        ).response
    }

    /// Checked as a payload is that comes in.
    private func pattern(_ text: String) throws(APIProblem) -> JSONPattern {
        let bytes = Array(text.utf8)
        let start = JSONScanner.afterSpace(bytes[...], 0)
        let end = JSONScanner.afterValue(bytes[...], start)
        // No further member of the line could stand behind it.
        guard JSONScanner.afterSpace(bytes[...], end) == bytes.count else {
            throw RequestParameters.invalid("payload", "one JSON object")
        }
        let line = Array(#"{"event_type":"tail","payload":"#.utf8) + bytes + [UInt8(ascii: "}")]
        if let refusal = refusal(of: line) {
            throw RequestParameters.invalid("payload", "a JSON object that an event could have: \(refusal.message)")
        }
        let pattern = JSONPattern(bytes[start..<end])
        guard pattern.valueCount <= Self.patternValuesMax else {
            throw RequestParameters.invalid("payload", "a JSON object of \(Self.patternValuesMax) values at most")
        }
        return pattern
    }

    private func refusal(of line: [UInt8]) -> Refusal? {
        let padded = line + [UInt8](repeating: 0, count: EventParser.paddingBytes)
        return padded.withUnsafeBytes { bytes in
            do throws(Refusal) {
                _ = try EventParser().validate(
                    UnsafeRawBufferPointer(rebasing: bytes[..<line.count]), limits: configuration.eventLimits,
                    receivedAt: .now, kind: .event)
                return nil
            } catch {
                return error
            }
        }
    }

    /// What the stream begins with; nil where it begins with the next event. Throws `APIProblem`, and errors of the pool.
    private func past(_ parameters: RequestParameters, _ request: Request) async throws -> TailPast.Found? {
        let past = TailPast(parameters: parameters, rowsMax: configuration.streams.catchUpRows, reading: reading)
        guard let last = HTTPField.Name("Last-Event-ID").flatMap({ request.headers[$0] }) else {
            guard let since = parameters.time("since") else { return nil }
            return try await past.read(since: since)
        }
        guard let batchID = Int64(last), batchID >= 0 else {
            throw APIProblem(.badRequest, "invalid_value", "Last-Event-ID must be an id of this stream: digits")
        }
        do {
            return try await past.read(after: batchID)
        } catch {
            // A client that comes back by itself is better off with what comes than with an error.
            return TailPast.Found(isTruncated: true)
        }
    }
}

/// A subscription that ends with the object, however the stream comes to its end.
final class TailPlace: Sendable {
    let subscription: FeedSubscription

    init(_ subscription: FeedSubscription) {
        self.subscription = subscription
    }

    deinit { subscription.end() }
}
