internal import MillraceRoutes
internal import NIOCore
internal import NIOHTTP1

/// A request that is being read or answered.
struct HTTPExchange {
    /// Who answers it.
    enum Answerer {
        /// `POST /v1/events`, and how far it is.
        case events(EventsProgress)
        /// Refused by its head; told once its body, which is short, has been read.
        case refusal(HTTPAnswer)
        /// The routes; the status once their answer has begun.
        case routes(status: Int?)
    }

    var route: HTTPRoute
    var answerer: Answerer
    /// When its head was read.
    var startedAt: NIODeadline
    var version: HTTPVersion
    /// Its answer has no body.
    var isHead: Bool
    /// An offer that is still to be declined.
    var upgrade: HTTPUpgradeOffer
    /// The connection ends with its answer.
    var closes: Bool
    var window = HTTPBodyWindow()

    /// True while its body comes faster than the spool takes it.
    var isBehind: Bool {
        if case .events(.behind) = answerer { true } else { false }
    }

    /// True when its client waits for PostgreSQL, and for nothing that it would have to send.
    var isAwaitingCommit: Bool {
        if case .events(.awaitingCommit) = answerer { true } else { false }
    }

    /// The field `Connection` of the answer, where its default would say something else.
    var connectionField: String? {
        if closes { return "close" }
        return version == .http1_0 ? "keep-alive" : nil
    }
}

/// What came of a body since its rate was last looked at.
struct HTTPBodyWindow {
    var byteCount = 0
    /// The socket was read no further for a while: then the client is not to blame.
    var isHeld = false

    func isFastEnough(bytesPerSecondMin: Int, over interval: Duration) -> Bool {
        isHeld || Double(byteCount) >= Double(bytesPerSecondMin) * (interval / .seconds(1))
    }
}
