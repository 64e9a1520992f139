/// One run on the sending side.
struct LoadResult: Sendable {
    var tally: LoadTally
    /// Numbers that were given out.
    var numbers: Range<UInt64>
    /// `created_at` of the first and the last line, microseconds since 1970, as written into those that bring none.
    var times: ClosedRange<Int64>
    /// Of the sending thread.
    var cpuSeconds: Double
    /// The first ones that were refused or failed, as the daemon said.
    var complaints: [String]
    /// Why it ended early.
    var failure: CommandError?
}
