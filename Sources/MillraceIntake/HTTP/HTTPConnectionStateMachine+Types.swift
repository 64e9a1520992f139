internal import MillraceRoutes
internal import NIOCore
internal import NIOHTTP1

extension HTTPConnectionStateMachine {
    enum Action {
        case none
        /// Look at the head, then call `requestAdmitted` with the verdict.
        case admit(HTTPRequestHead)
        case startEvents(EventsRequestHead, HTTPRoute, saysContinue: Bool)
        case startRoutes(HTTPRequestHead, saysContinue: Bool)
        /// Give a piece of the body to the events request, or nil when the body has ended.
        case takeBody(ByteBuffer?)
        /// The events request's body can't go on.
        case breakBody(HTTPProblem)
        case forward(HTTPServerRequestPart)
        /// The decoder has stopped after a request that offers another protocol; HTTP goes on with a new one.
        case replaceDecoder
        /// Write it, then call `answerWritten`. The exchange is nil when there was no request.
        case answer(HTTPAnswer, HTTPExchange?)
        /// Call `answerTaken` once the socket has taken all that was written.
        case awaitTaken
        /// Close the output after what was written, then call `outputClosed`.
        case closeOutput
        case close
    }

    /// What becomes of what the routes write.
    enum RoutedAction {
        case write(HTTPServerResponsePart)
        /// Write the end, then call `answerWritten`.
        case end(HTTPHeaders?, HTTPExchange, status: Int)
        /// Drop it, and count it as written.
        case skip
        /// Fail it: nobody waits for it any more.
        case fail
    }

    /// What is known of the channel's output.
    struct Output {
        /// All bytes that the socket ever took.
        var sentBytes: Int
        /// Bytes written that the socket has not taken.
        var unsentBytes: Int
    }

    enum State {
        case idle
        case receiving(HTTPExchange)
        case answering(HTTPExchange)
        /// The client hasn't taken all of the last answer. `hasNextBegun`: bytes of the next request came.
        case sending(hasNextBegun: Bool)
        /// What is still received is dropped.
        case lingering
        case outputClosed
        case closed
    }

    enum Deadline {
        /// A request may begin, until `end` at the latest.
        case idle(end: NIODeadline)
        case head
        /// The next look at a body's rate.
        case body
        /// The next look at whether the client takes its answer; `sentBytes`: at the last one.
        case writing(sentBytes: Int)
        /// The answer to a failed authentication.
        case held(HTTPAnswer)
        case linger
    }
}
