extension DeliveryStateMachine {
    struct Bounds: Sendable {
        var eventsMax: Int
        var bytesMax: Int
        /// Whether what has no room waits for it; else it is refused.
        var waitsForRoom: Bool
        var backoff: Backoff
        /// How long the greeting's answer may take.
        var greetingTimeout: Duration
        /// How long nothing may be answered while events are out.
        var answerTimeout: Duration
        var shutdownTimeout: Duration
        /// Nil: for ever.
        var giveUpAfter: Duration?
    }

    enum Step: Equatable {
        case connect
        /// Until something happens, or that time.
        case wait(until: Instant?)
        /// All is answered, and the client is to end.
        case finish
        /// The client ends with this error; everyone who waited was told.
        case fail(MillraceClientError)
    }

    enum Admission: Equatable {
        case taken
        /// A notice with its ticket comes.
        case waits
        case refused(MillraceClientError)
    }

    enum Phase: Equatable {
        case running
        /// Takes nothing new; ends at that time at the latest.
        case draining(by: Instant)
        case ended(MillraceClientError)
    }

    enum Connection: Equatable {
        case none
        case greeting(since: Instant)
        /// `base`: events settled when it began.
        case open(base: Int, progressAt: Instant)
    }

    struct Waiting {
        var ticket: Int
        var event: MillraceClient.Event
        /// Whether its sender waits for the answer, not only for room.
        var isAwaited: Bool
    }

    /// What was said of a line whose ack has not come.
    struct Heard {
        var refusal: ServerMessage.Failure?
        var reports: [MillraceClient.Report] = []
    }
}
