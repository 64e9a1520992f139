/// Lines that are the same whenever they are asked for again.
protocol LineSource: Sendable {
    /// Each ended by `\n`.
    func lines(_ range: Range<Int>) -> [UInt8]
}
