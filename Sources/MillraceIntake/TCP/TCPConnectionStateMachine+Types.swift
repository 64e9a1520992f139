internal import MillraceChannels
internal import NIOCore

extension TCPConnectionStateMachine {
    enum Action {
        /// The greeting is answered.
        case greet
        /// One batch is cut, from what was received. `takesLast`: what follows the last newline is a line too.
        case cut(takesLast: Bool)
        case submit(TCPBatch, id: UInt64, Submission.Acknowledgement)
        /// Ask the record channel, which is full, to report when it has room.
        case awaitChannel
        /// Ask whether the spool still refuses.
        case askSpool
        case answer(TCPAnswer)
        /// Tells a client that gets answers, once, that it is read no further for its rate.
        case tellLimit
        /// Says why, if there is something to say, and ends the output after all that was written.
        case end(TCPConnectionEnd?)
        /// Drop what was received.
        case dropLines
        /// So many lines of a client without acks are lost: the daemon stops, and the spool refuses.
        case abandon(lineCount: Int)
        /// Tries to count among those who wait for commits; then `waitersJoined`.
        case joinWaiters
        case leaveWaiters
        case leavePlace
        case close
    }

    enum State {
        /// Lines are taken.
        case open
        /// Not let in: says so at that time, the same whatever the reason; nil: says nothing.
        case refusing(TCPConnectionEnd?, at: NIODeadline)
        /// Takes no more lines: ends after the answers to all that was taken, at that time at the latest.
        case spent(TCPConnectionEnd, by: NIODeadline?)
        case ending(TCPConnectionEnd?)
        /// The output is ended; what still comes is thrown away.
        case lingering
        case closing
        /// The socket is gone. Lines of a connection without acks may still be on their way.
        case closed
    }

    enum Mode: Equatable {
        /// Nothing but empty lines yet.
        case awaitingFirstLine
        /// No greeting: nothing is ever answered.
        case oneWay
        case greeted(Submission.Acknowledgement)
        case answering(Submission.Acknowledgement)
    }

    enum Input {
        case flowing
        /// The daemon stops: no more is read.
        case quiescing
        /// The client has closed its side. `waitEnd`: until when it waits for commits.
        case ended(waitEnd: NIODeadline?)
    }

    enum Lines {
        /// Every whole line was cut.
        case cut
        case uncut
        case dropped
    }

    /// Whether the client was told that its rate holds it back.
    enum LimitTold {
        case no, due, yes
    }

    /// What the connection counts as.
    enum Place {
        case none, connection, waiter
    }
}
