internal import MillraceChannels

/// What one run sends, how fast and for how long.
struct LoadPlan: Equatable, Sendable {
    enum Wire: String, Sendable, CaseIterable {
        /// Lines, pipelined.
        case tcp
        /// Keep-alive requests, one in flight for a connection.
        case http
    }

    enum Extent: Equatable, Sendable {
        case events(Int)
        case nanoseconds(Int64)
    }

    var wire: Wire
    var acknowledgement: Submission.Acknowledgement
    var connections: Int
    /// Lines of one request, or in the open loop lines that are due at the same time.
    var batch: Int
    /// TCP: lines of one connection without an ack at most.
    var inFlightMax: Int
    /// Events a second over all connections; nil: the closed loop, flat out.
    var rate: Double?
    /// Sent before the measured part.
    var warmupNanoseconds: Int64
    /// The measured part.
    var extent: Extent

    /// Places for a line (HTTP: a request) on its way, over all connections: in the closed loop each of them is a
    /// client that sends its next one when the last was answered.
    var places: Int { wire == .tcp ? connections * inFlightMax : connections }

    /// Lines that occupy one place.
    var linesPerPlace: Int { wire == .tcp ? 1 : batch }
}
