package import MillraceEvent

/// What a daemon tells of itself: a row of `public.daemons`, but for its times of writing.
package struct DaemonRow: Sendable, Equatable {
    package var spoolID: UniqueID
    package var host: String
    package var version: String
    /// Of the process, on `host`.
    package var processID: Int
    /// By the clock of `host`.
    package var startedAt: Timestamp
    /// The sequence after the last durable line.
    package var spoolPosition: UInt64
    /// Every line below is in the ledger, and flushed.
    package var settledPosition: UInt64
    /// Bytes of all segment files.
    package var spoolBytes: Int
    /// Durable lines that are not known to be in the database.
    package var waitingLines: Int
    /// When the oldest of them was received; nil: there is none, or it is not known.
    package var oldestWaitingAt: Timestamp?
    /// Where it listens: `tcp 127.0.0.1:7171`.
    package var listeners: [String]

    package init(
        spoolID: UniqueID, host: String, version: String, processID: Int, startedAt: Timestamp, spoolPosition: UInt64,
        settledPosition: UInt64, spoolBytes: Int, waitingLines: Int, oldestWaitingAt: Timestamp?, listeners: [String]
    ) {
        self.spoolID = spoolID
        self.host = host
        self.version = version
        self.processID = processID
        self.startedAt = startedAt
        self.spoolPosition = spoolPosition
        self.settledPosition = settledPosition
        self.spoolBytes = spoolBytes
        self.waitingLines = waitingLines
        self.oldestWaitingAt = oldestWaitingAt
        self.listeners = listeners
    }
}

/// A daemon as the database knows it.
package struct DaemonStanding: Sendable, Equatable {
    /// Raw value = what reports say.
    package enum State: String, Sendable {
        /// It has its session, and tells of itself.
        case here
        /// Its session is there, and it has not told anything when it was due: the network between, or the daemon, hangs.
        case silent
        /// It ended in order.
        case stopped
        /// Its session is gone without a word: it was killed, or does not reach the database.
        case away
    }

    package var row: DaemonRow
    package var state: State
    /// By the server's clock.
    package var seenAt: Timestamp
    package var stoppedAt: Timestamp?
    /// How long ago `oldestWaitingAt` is; that clock is the daemon's own.
    package var lag: Duration?
    /// Also of one that stopped and is about to tell that it is back.
    package var hasSession: Bool
    /// Its row is older than the last question (`DaemonTable.ask`), or late.
    package var isAsked: Bool

    package init(
        row: DaemonRow, state: State, seenAt: Timestamp, stoppedAt: Timestamp?, lag: Duration?, hasSession: Bool,
        isAsked: Bool
    ) {
        self.row = row
        self.state = state
        self.seenAt = seenAt
        self.stoppedAt = stoppedAt
        self.lag = lag
        self.hasSession = hasSession
        self.isAsked = isAsked
    }

    /// Since when it is not here; nil where it is.
    package var awaySince: Timestamp? {
        switch state {
        case .here: nil
        case .silent, .away: seenAt
        case .stopped: stoppedAt
        }
    }
}
