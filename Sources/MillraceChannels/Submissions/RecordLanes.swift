/// What waits for the spool, by lane: whose turn it is, and who is to pause. A value: times are arguments.
///
/// A lane is a key; lane 0 is all senders without one. While one lane alone sends, all of what waits goes at once. While
/// several do (and for `sharedNanoseconds` after that), they take turns by bytes (deficit round robin), and a turn is short,
/// so that who sends little never waits behind what another one has queued: at most for one turn of each.
struct RecordLanes {
    private struct Lane {
        var waiting: [Submission] = []
        /// Number of those at the start of `waiting` that were taken.
        var takenCount = 0
        /// Of those that were not taken.
        var bytes = 0
        /// Bytes that it may take beyond its next turn's, since its first submission is larger than its turns so far.
        var deficit = 0
        var paused: [@Sendable () -> Void] = []

        mutating func append(_ submission: Submission, bytes byteCount: Int) {
            waiting.append(submission)
            bytes += byteCount
        }

        mutating func takeTurn(bytes turnBytes: Int, into taken: inout [Submission]) {
            deficit += turnBytes
            while takenCount < waiting.count {
                let byteCount = waiting[takenCount].byteCount
                guard byteCount <= deficit else { return dropTaken() }
                deficit -= byteCount
                bytes -= byteCount
                var next = RecordLanes.nothing
                swap(&next, &waiting[takenCount])
                taken.append(next)
                takenCount += 1
            }
            (waiting, takenCount, deficit) = ([], 0, 0)
        }

        private mutating func dropTaken() {
            guard takenCount > waiting.count / 2 else { return }
            waiting.removeFirst(takenCount)
            takenCount = 0
        }
    }

    /// How long after two lanes sent turns stay short.
    static let sharedNanoseconds: UInt64 = 60_000_000_000
    /// A lane's turn while others wait too: many lanes have smaller ones, so that a round stays about `roundBytes`.
    static let turnBytes = 32 << 10...256 << 10
    static let roundBytes = 1 << 20

    private static let nothing = Submission(records: []) { _ in }

    private let bytesMax: Int
    /// Lanes with something that waits, in order of their turns; `ids` in the same order.
    private var lanes: [Lane] = []
    private var ids: [UInt64] = []
    private(set) var waitingBytes = 0
    /// Who sent last.
    private var lastLane: UInt64?
    /// Until when turns are short; zero where only one lane ever sent.
    private var sharedUntil: UInt64 = 0

    /// `bytesMax`: above it a lane that is alone pauses; several have a share of it each.
    init(bytesMax: Int) {
        self.bytesMax = bytesMax
    }

    var isEmpty: Bool { lanes.isEmpty }

    /// What a lane may have waiting before it pauses.
    private var shareBytes: Int { bytesMax / max(1, lanes.count) }

    private func isWritable(_ lane: Int) -> Bool {
        lanes[lane].bytes < shareBytes && waitingBytes < 2 * bytesMax
    }

    /// A submission of this lane comes, whether it waits or not. `now`: nanoseconds of a clock that never goes back.
    mutating func sent(by id: UInt64, now: @autoclosure () -> UInt64) {
        guard lastLane != id else { return }
        if lastLane != nil { sharedUntil = now() + Self.sharedNanoseconds }
        lastLane = id
    }

    /// Returns whether its lane may send more.
    mutating func append(_ submission: Submission, bytes: Int) -> Bool {
        let lane = ids.firstIndex(of: submission.lane) ?? open(submission.lane)
        lanes[lane].append(submission, bytes: bytes)
        waitingBytes += bytes
        return isWritable(lane)
    }

    private mutating func open(_ id: UInt64) -> Int {
        ids.append(id)
        lanes.append(Lane())
        return ids.count - 1
    }

    /// Keeps `resume` until the lane may send more. False when it may already.
    mutating func pause(_ id: UInt64, _ resume: @escaping @Sendable () -> Void) -> Bool {
        guard let lane = ids.firstIndex(of: id), !isWritable(lane) else { return false }
        lanes[lane].paused.append(resume)
        return true
    }

    /// Takes what goes to the spool next, in order within each lane, and those who may send more after it.
    mutating func take(now: @autoclosure () -> UInt64) -> (submissions: [Submission], paused: [@Sendable () -> Void]) {
        guard !lanes.isEmpty else { return ([], []) }
        guard lanes.count > 1 || lanes[0].takenCount > 0 || sharedUntil > 0 && now() < sharedUntil else {
            defer { removeAll() }
            return (lanes[0].waiting, lanes[0].paused)
        }
        return takeRound()
    }

    private mutating func removeAll() {
        lanes = []
        ids = []
        waitingBytes = 0
    }

    private mutating func takeRound() -> ([Submission], [@Sendable () -> Void]) {
        let share = Self.roundBytes / lanes.count
        let turn = min(max(share, Self.turnBytes.lowerBound), Self.turnBytes.upperBound)
        var taken: [Submission] = []
        let bytesBefore = lanes.reduce(0) { $0 + $1.bytes }
        while taken.isEmpty {
            for lane in lanes.indices { lanes[lane].takeTurn(bytes: turn, into: &taken) }
        }
        waitingBytes -= bytesBefore - lanes.reduce(0) { $0 + $1.bytes }
        var resumed: [@Sendable () -> Void] = []
        for lane in lanes.indices.reversed() where lanes[lane].waiting.isEmpty {
            resumed += lanes[lane].paused
            lanes.remove(at: lane)
            ids.remove(at: lane)
        }
        for lane in lanes.indices where isWritable(lane) {
            resumed += lanes[lane].paused
            lanes[lane].paused = []
        }
        return (taken, resumed)
    }
}
