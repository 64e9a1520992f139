package import MillraceJSON

/// As `/readyz` says it.
package struct LiveReadiness: JSONShape, Equatable {
    package var ready: Bool
    /// False while lines wait and nothing is written.
    package var writing: Bool
    /// Why not all batches are written.
    package var reason: String?
    /// RFC 3339.
    package var since: String?
    /// Why it is not ready.
    package var reasons: [Readiness.Item]
    /// What else is wrong.
    package var notes: [Readiness.Item]

    package init(
        ready: Bool, writing: Bool, reason: String?, since: String?, reasons: [Readiness.Item],
        notes: [Readiness.Item]
    ) {
        self.ready = ready
        self.writing = writing
        self.reason = reason
        self.since = since
        self.reasons = reasons
        self.notes = notes
    }

    package static let fields: [JSONField<Self>] = [
        JSONField("ready", \.ready), JSONField("writing", \.writing), JSONField("reason", \.reason),
        JSONField("since", \.since), JSONField("reasons", \.reasons), JSONField("notes", \.notes),
    ]

    package init(_ readiness: Readiness) {
        self.init(
            ready: readiness.reasons.isEmpty, writing: !(readiness.stall?.isTotal ?? false),
            reason: readiness.stall?.reason, since: readiness.stall?.since, reasons: readiness.reasons,
            notes: readiness.notes)
    }
}

/// The conservation law: what came in is in one of five places. In the order of the sentence.
package struct LiveConservation: JSONShape, Equatable {
    /// Lines that this run appended to the spool, or found there.
    package var inAndRecovered: Int?
    package var committed: Int?
    package var duplicates: Int?
    package var dead: Int?
    /// Refused lines that are in dead_letters.
    package var refused: Int?
    package var inSpool: Int?
    /// What is missing from the five, or too much in them; both sides change while they are read.
    package var difference: Int
    /// False when two ticks one after the other had a difference.
    package var holds: Bool

    package init(
        inAndRecovered: Int?, committed: Int?, duplicates: Int?, dead: Int?, refused: Int?, inSpool: Int?,
        difference: Int, holds: Bool
    ) {
        self.inAndRecovered = inAndRecovered
        self.committed = committed
        self.duplicates = duplicates
        self.dead = dead
        self.refused = refused
        self.inSpool = inSpool
        self.difference = difference
        self.holds = holds
    }

    package static let fields: [JSONField<Self>] = [
        JSONField("in_and_recovered", \.inAndRecovered), JSONField("committed", \.committed),
        JSONField("duplicates", \.duplicates), JSONField("dead", \.dead), JSONField("refused", \.refused),
        JSONField("in_spool", \.inSpool), JSONField("difference", \.difference), JSONField("holds", \.holds),
    ]
}

/// The spool.
package struct LiveSpool: JSONShape, Equatable {
    /// Of all segment files.
    package var bytes: Int
    /// `spool.bytes`.
    package var capacityBytes: Int
    /// On its disk.
    package var freeBytes: Int
    /// In memory, on the way to the disk.
    package var queueBytes: Int
    package var segments: Int
    /// Not known to be in the database.
    package var uncommittedLines: Int
    /// 0: there is none.
    package var oldestUncommittedSeconds: Double
    /// `SpoolRefusal`; nil: it takes what comes.
    package var refusing: String?

    package init(
        bytes: Int, capacityBytes: Int, freeBytes: Int, queueBytes: Int, segments: Int, uncommittedLines: Int,
        oldestUncommittedSeconds: Double, refusing: String?
    ) {
        self.bytes = bytes
        self.capacityBytes = capacityBytes
        self.freeBytes = freeBytes
        self.queueBytes = queueBytes
        self.segments = segments
        self.uncommittedLines = uncommittedLines
        self.oldestUncommittedSeconds = oldestUncommittedSeconds
        self.refusing = refusing
    }

    package static let fields: [JSONField<Self>] = [
        JSONField("bytes", \.bytes), JSONField("capacity_bytes", \.capacityBytes),
        JSONField("free_bytes", \.freeBytes), JSONField("queue_bytes", \.queueBytes),
        JSONField("segments", \.segments), JSONField("uncommitted_lines", \.uncommittedLines),
        JSONField("oldest_uncommitted_seconds", \.oldestUncommittedSeconds), JSONField("refusing", \.refusing),
    ]
}

/// PostgreSQL, as the writers see it.
package struct LiveDatabase: JSONShape, Equatable {
    /// It answers.
    package var up: Bool
    /// Failed and set aside.
    package var stuckBatches: Int
    /// For a writer.
    package var waitingLines: Int

    package init(up: Bool, stuckBatches: Int, waitingLines: Int) {
        self.up = up
        self.stuckBatches = stuckBatches
        self.waitingLines = waitingLines
    }

    package static let fields: [JSONField<Self>] = [
        JSONField("up", \.up), JSONField("stuck_batches", \.stuckBatches), JSONField("waiting_lines", \.waitingLines),
    ]
}

/// One writer.
package struct LiveWriter: JSONShape, Equatable {
    package var index: Int
    package var state: State
    /// Of the batch in hand.
    package var lines: Int
    /// In this state.
    package var seconds: Double

    package init(index: Int, state: State, lines: Int, seconds: Double) {
        self.index = index
        self.state = state
        self.lines = lines
        self.seconds = seconds
    }

    package static let fields: [JSONField<Self>] = [
        JSONField("index", \.index), JSONField("state", \.state), JSONField("lines", \.lines),
        JSONField("seconds", \.seconds),
    ]

    package enum State: String, Sendable, JSONChoice {
        case idle, writing
        /// It has a batch, and PostgreSQL does not answer.
        case waiting
    }
}

/// Connections of one transport.
package struct LiveConnections: JSONShape, Equatable {
    /// tcp or http.
    package var transport: String
    package var open: Int
    /// One more is refused.
    package var max: Int

    package init(transport: String, open: Int, max: Int) {
        self.transport = transport
        self.open = open
        self.max = max
    }

    package static let fields: [JSONField<Self>] = [
        JSONField("transport", \.transport), JSONField("open", \.open), JSONField("max", \.max),
    ]
}

/// Streams of server-sent events.
package struct LiveStreams: JSONShape, Equatable {
    /// Of /v1/tail.
    package var tails: Int
    /// Of /v1/live.
    package var watchers: Int
    /// Events that a slow reader did not get, since the daemon's start.
    package var dropped: Int

    package init(tails: Int, watchers: Int, dropped: Int) {
        self.tails = tails
        self.watchers = watchers
        self.dropped = dropped
    }

    package static let fields: [JSONField<Self>] = [
        JSONField("tails", \.tails), JSONField("watchers", \.watchers), JSONField("dropped", \.dropped),
    ]
}
