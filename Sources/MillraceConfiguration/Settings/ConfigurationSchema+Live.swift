internal import MillraceAPI
internal import MillraceWriter

extension ConfigurationSchema {
    static let live = ConfigurationSection(
        name: "live", doc: "Streams for who watches: /v1/tail and /v1/live, `millrace tail` and `millrace top`.",
        keys: [
            .integer(
                "streams_max", \.streams.streamsMax, 1...10_000, unit: "streams",
                "Streams that are open at the same time; one more gets 503. Each takes a connection of http.connections_max.",
                watch: "millrace_live_streams"
            ).live,
            .bytes(
                "queue_bytes", \.streams.queueBytes, 16 << 10...64 << 20,
                "Events that wait for one reader of /v1/tail; what does not fit is dropped, counted, and told to the reader.",
                watch: "millrace_live_events_dropped_total"
            ).live,
            .integer(
                "batches_max", \.feed.batchesMax, 1...10_000, unit: "batches",
                "Committed batches that wait to be shown; of more than these nothing is shown, and the reader told.",
                watch: "millrace_live_events_dropped_total"),
            .integer(
                "catch_up_rows", \.streams.catchUpRows, 0...10_000, unit: "events",
                "Events of the past that a stream begins with at most, with since or after a reconnection."
            ).live,
            .duration(
                "interval", \.streams.interval, .milliseconds(200) ... .seconds(60),
                "From one tick of /v1/live to the next."
            ).live,
            .duration(
                "heartbeat", \.streams.heartbeat, .seconds(1) ... .seconds(300),
                "A stream says so after as long without anything to say, so that no proxy on the way cuts it."
            ).live,
        ])
}
