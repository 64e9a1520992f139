internal import MillraceAccess
internal import MillraceRoutes
internal import NIOCore
internal import NIOHTTP1

/// A request that is being read or answered.
struct HTTPExchange {
    /// Who answers it.
    enum Answerer {
        /// `POST /v1/events`, and how far it is.
        case events(EventsProgress)
        /// Refused by its head; answered once its body, which is short, has been read.
        case refusal(HTTPAnswer)
        /// The routes; the status once their answer has begun.
        case routes(status: Int?)
    }

    var audience: HTTPAudience
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
    /// Of a failed authentication: how long after `startedAt` it is answered.
    var failure: FailedAuthentications.Wait?

    var route: HTTPRoute { audience.route }

    /// True while its body comes faster than the spool takes it.
    var isBehind: Bool {
        if case .events(.behind) = answerer { true } else { false }
    }

    /// True when its client waits for PostgreSQL only: it has sent its whole request.
    var isAwaitingCommit: Bool {
        if case .events(.awaitingCommit) = answerer { true } else { false }
    }

    /// The field `Connection` of the answer, where its default would say something else.
    var connectionField: String? {
        if closes { return "close" }
        return version == .http1_0 ? "keep-alive" : nil
    }
}

/// How much of a body was received since its rate was last checked.
struct HTTPBodyWindow {
    var byteCount = 0
    /// The intake held reading back for a while, so that a low rate is not the client's fault.
    var isHeld = false

    func isFastEnough(bytesPerSecondMin: Int, over interval: Duration) -> Bool {
        isHeld || Double(byteCount) >= Double(bytesPerSecondMin) * (interval / .seconds(1))
    }
}
