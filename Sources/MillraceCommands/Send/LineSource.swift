/// What `SendSession` takes its lines from.
protocol LineSource: ~Copyable {
    /// To `poll` when `next` needs input.
    var descriptor: Int32 { get }
    /// Of the input as it stands; nil when that is not known.
    var totalBytes: Int? { get }
    /// Of the input as it stands.
    var readBytes: Int { get }

    mutating func read() throws(CommandError)
    mutating func next() throws(CommandError) -> LineReader.Next
    /// The daemon has settled the next `count` lines; of those it `refused` some.
    mutating func settled(_ count: Int, refused: [SendStateMachine.Refused])
}

extension LineReader: LineSource {
    mutating func settled(_ count: Int, refused: [SendStateMachine.Refused]) {}
}
