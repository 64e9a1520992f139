internal import MillraceRoutes
internal import NIOCore
internal import NIOHTTP1

/// A request that is being read or answered.
struct HTTPExchange {
    var head: HTTPRequestHead
    var fields: HTTPRequestFields
    var route: HTTPRoute
    /// When its head was read.
    var startedAt: NIODeadline
    /// Nil for a request that is passed on, or refused by its head.
    var events: EventsRequest?
    /// An answer that waits for the end of a short body.
    var answer: HTTPAnswer?
    var isRequestEnded = false
    var isResponseStarted = false
    /// The answer comes from here, whatever the routes write.
    var isTakenOver = false
    var status = 0
    var closes: Bool
}
