/// `[live]`: streams of server-sent events, `/v1/tail` and `/v1/live`.
package struct StreamsConfiguration: Sendable, Equatable {
    /// Streams that are open at the same time, of both routes.
    package var streamsMax = 64
    /// Bytes of events that wait for one reader; what does not fit is dropped and counted.
    package var queueBytes = 1 << 20
    /// Events of the past that a stream begins with at most.
    package var catchUpRows = 1000
    /// From one tick of `/v1/live` to the next.
    package var interval = Duration.seconds(1)
    /// A stream that has nothing to say says so after as long, so that nobody on the way takes it for dead.
    package var heartbeat = Duration.seconds(15)

    package init() {}
}
