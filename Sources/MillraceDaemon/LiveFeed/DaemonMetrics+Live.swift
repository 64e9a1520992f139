import MillraceAPI
internal import MillraceChannels
import MillraceEvent
import MillraceRoutes
import MillraceSpool
import MillraceTelemetry
import MillraceWriter

extension DaemonMetrics {
    /// Where the lines are that came in: the sides of the conservation law, but for those in the spool.
    struct Conservation: Sendable {
        var inAndRecovered: Int
        var committed: Int
        var duplicates: Int
        var dead: Int
        var refused: Int
    }

    /// Read one after the other, while lines come and go.
    var conservation: Conservation {
        let kinds = [writer.events, writer.conversations]
        return Conservation(
            inAndRecovered: RecordKind.allCases.reduce(0) {
                $0 + spool.appended($1).lines.value + spool.recovered($1).value
            },
            committed: kinds.reduce(0) { $0 + $1.committed.value },
            duplicates: kinds.reduce(0) { $0 + $1.duplicates.value }, dead: kinds.reduce(0) { $0 + $1.dead.value },
            refused: writer.refused.value)
    }

    /// Streams of server-sent events.
    func observe(_ feed: EventFeed, _ streams: OpenStreams) {
        registry.observe(.liveStreams, [.route: HTTPRoute.tail.description]) { Double(streams.tailCount) }
        registry.observe(.liveStreams, [.route: HTTPRoute.live.description]) { Double(streams.watcherCount) }
        registry.expose(feed.sent, as: .liveEventsSent)
        registry.expose(feed.dropped, as: .liveEventsDropped)
    }
}
