internal import Hummingbird
internal import MillraceAccess
internal import MillraceEvent
internal import MillraceJSON
internal import MillraceRoutes
internal import NIOCore

/// `GET /v1/live`: the daemon's state, again and again.
struct LiveRoute: Sendable {
    static let operation = APIOperation(
        .live, id: "live", tag: "live",
        summary: "Rates, latencies and the state of the daemon, a tick every live.interval, as server-sent events",
        access: .read, furtherFailures: [(503, "live.streams_max streams are open; try later")],
        textType: "text/event-stream")

    let configuration: APIRoutesConfiguration
    let live: LiveSources
    let gate: ReadGate

    var endpoint: Endpoint {
        gate.stream(Self.operation) { parameters, _, context in
            let streams = configuration.streams
            guard let place = live.streams.enterWatcher(max: streams.streamsMax) else {
                throw LiveSources.tooMany(configuration)
            }
            return EventStream(
                source: TickSource(tick: live.tick, first: live.tick(LiveReader(parameters.caller))),
                signal: StreamSignal(), access: StreamAccess(configuration.keys, parameters.caller),
                interval: streams.interval, heartbeat: streams.heartbeat, channel: context.channel, place: place
            ).response
        }
    }
}

/// What one stream of `/v1/live` says.
private struct TickSource: EventSource {
    let tick: @Sendable (LiveReader) -> LiveTick?
    /// Of the time of the request.
    let first: LiveTick?

    func opening() -> ByteBuffer? { first.map(Self.event) }

    func next(isTime: Bool, for caller: Caller) -> ByteBuffer? {
        isTime ? tick(LiveReader(caller)).map(Self.event) : nil
    }

    private static func event(_ tick: LiveTick) -> ByteBuffer {
        var stream = ByteBuffer()
        ServerSentEvent.append(tick.json, name: "tick", to: &stream)
        return stream
    }
}
