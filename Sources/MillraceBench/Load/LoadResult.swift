internal import MillraceConsole

/// One run on the sending side.
struct LoadResult: Sendable {
    var tally: LoadTally
    /// Numbers that were given out.
    var numbers: Range<UInt64>
    /// `created_at` of the first and the last line, microseconds since 1970, as written into those that bring none.
    var times: ClosedRange<Int64>
    /// Processor time of the sending thread.
    var cpuSeconds: Double
    /// The first ones that were refused or failed, as the daemon said.
    var complaints: [String]
    /// Why it ended early.
    var failure: CommandError?
}

/// What became of the lines of a run.
struct LoadTally: Equatable, Sendable {
    /// Ramp-up included, as the following three.
    var sent = 0
    /// With line endings, without HTTP's heads.
    var sentBytes = 0
    /// Acknowledged lines, the refused ones included.
    var answered = 0
    /// Lines that the daemon refused, one by one.
    var refused = 0
    /// Lines of requests that were answered by an error.
    var failed = 0

    /// The measured part of `sent`, and so on.
    var measuredSent = 0
    var measuredSentBytes = 0
    var measuredAnswered = 0
    var measuredRefused = 0
    /// Lines that were due in the measured part and never sent, since the connections took no more.
    var overdue = 0

    /// The first line of the measured part was sent (open loop: due), and the last of it was answered; nanoseconds of a
    /// monotonic clock.
    var measuredFrom: Int64?
    var measuredUntil: Int64?

    /// Accepted lines of the whole run.
    var accepted: Int { answered - refused }
    /// Accepted lines of the measured part.
    var events: Int { measuredAnswered - measuredRefused }
    /// Length of the measured part; 0 when nothing of it was answered.
    var nanoseconds: Int64 {
        guard let measuredFrom, let measuredUntil else { return 0 }
        return max(0, measuredUntil - measuredFrom)
    }
}
