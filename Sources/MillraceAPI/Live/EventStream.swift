internal import AsyncAlgorithms
internal import HTTPTypes
internal import Hummingbird
internal import MillraceAccess
internal import MillraceEvent
internal import NIOCore
internal import ServiceLifecycle

/// What one stream has to say.
protocol EventSource: Sendable {
    /// At the beginning; nil: nothing.
    mutating func opening() -> ByteBuffer?
    /// What is there to be said now; nil when that was all. `isTime`: an interval has passed.
    mutating func next(isTime: Bool, for caller: Caller) -> ByteBuffer?
}

/// Writes one stream of server-sent events, until its client goes, its key ends, or the daemon stops.
///
/// A client that does not read holds its own task and nothing else: what is written waits for the socket, the source's queue
/// is bounded, and `http.write_timeout` ends who takes nothing at all.
struct EventStream<Source: EventSource>: Sendable {
    /// How long a stream that is being written when the daemon stops may take to its end.
    private static var farewellLimit: TimeAmount { .milliseconds(500) }
    /// Pieces that are written before it is asked again whether the stream may go on.
    private static var piecesMax: Int { 32 }

    let source: Source
    let signal: StreamSignal
    let access: StreamAccess
    /// Between two calls of the source that say so.
    let interval: Duration
    let heartbeat: Duration
    let channel: any Channel
    /// Held while the stream is open.
    let place: OpenStreams.Place

    var response: Response {
        Response(
            status: .ok,
            headers: ServerSentEvent.fields,
            body: ResponseBody { writer in
                try await withGracefulShutdownHandler {
                    try await write(to: &writer)
                } onGracefulShutdown: {
                    signal.end(.draining)
                    // A client that takes nothing would have the stop wait for it.
                    channel.eventLoop.scheduleTask(in: Self.farewellLimit) { channel.close(promise: nil) }
                }
                try await writer.finish(nil)
            })
    }

    private func write(to writer: inout any ResponseBodyWriter) async throws {
        defer { withExtendedLifetime(place) {} }
        var (source, access) = (source, access)
        channel.closeFuture.whenComplete { _ in signal.end(.gone) }
        access.caller.grant?.whenEnded(signal) { signal.wake() }
        defer { access.caller.grant?.forget(signal) }
        try await writer.write(ServerSentEvent.opening)
        if let opening = source.opening() { try await writer.write(opening) }
        var spokeAt = ContinuousClock.now
        // What came before is there already.
        signal.wake()
        // Looked at twice a heartbeat, so that no silence is longer than one.
        let time = AsyncTimerSequence(interval: min(interval, heartbeat / 2), clock: .continuous).map { _ in true }
        var lookedAt = ContinuousClock.now
        for await isTimer in merge(time, signal.wakes.map { false }) {
            let now = ContinuousClock.now
            let grant = access.caller.grant
            if signal.end == nil, !access.isInForce(at: .now) { signal.end(.unauthenticated) }
            if access.caller.grant !== grant { access.caller.grant?.whenEnded(signal) { signal.wake() } }
            let isTime = isTimer && now - lookedAt >= interval * 0.9
            if isTime { lookedAt = now }
            var pieces = 0
            while signal.end == nil, pieces < Self.piecesMax,
                let said = source.next(isTime: isTime && pieces == 0, for: access.caller)
            {
                try await writer.write(said)
                spokeAt = .now
                pieces += 1
            }
            if pieces == Self.piecesMax { signal.wake() }
            if let end = signal.end {
                if end != .gone { try await writer.write(ServerSentEvent.end(end)) }
                return
            }
            if now - spokeAt >= heartbeat * 0.45 {
                try await writer.write(ServerSentEvent.heartbeat)
                spokeAt = .now
            }
        }
    }
}
