/// A regular expression as states that are joined by bytes: Thompson's construction.
struct PatternAutomaton {
    enum State {
        /// One byte of the range goes to `next`.
        case byte(ClosedRange<UInt8>, next: Int)
        /// Both at once.
        case fork(Int, Int)
        /// Goes on only at the text's beginning.
        case start(next: Int)
        /// Goes on only at the text's end.
        case end(next: Int)
        case match
    }

    /// Beyond it a pattern is refused: each of them may be looked at for each state of the machine.
    private static let statesMax = 20_000

    private(set) var states: [State] = [.match]
    private(set) var first = 0

    init(_ node: PatternNode) throws(PatternError) {
        first = try add(node, next: 0)
    }

    private mutating func add(_ state: State) throws(PatternError) -> Int {
        guard states.count < Self.statesMax else { throw PatternMachine.tooLarge }
        states.append(state)
        return states.count - 1
    }

    /// States that match `node` and then go to `next`; returns the first of them.
    private mutating func add(_ node: PatternNode, next: Int) throws(PatternError) -> Int {
        switch node {
        case .start: return try add(.start(next: next))
        case .end: return try add(.end(next: next))
        case .scalars(let ranges): return try add(ranges, next: next)
        case .sequence(let nodes):
            var next = next
            for node in nodes.reversed() { next = try add(node, next: next) }
            return next
        case .choice(let nodes):
            var first = try add(nodes[nodes.count - 1], next: next)
            for node in nodes.dropLast().reversed() { first = try add(.fork(add(node, next: next), first)) }
            return first
        case .repeated(let node, let min, let max):
            var next = next
            if let max {
                let end = next
                for _ in min..<max { next = try add(.fork(add(node, next: next), end)) }
            } else {
                let loop = try add(.fork(0, next))
                guard case .fork(_, let end) = states[loop] else { return loop }
                states[loop] = .fork(try add(node, next: loop), end)
                next = loop
            }
            for _ in 0..<min { next = try add(node, next: next) }
            return next
        }
    }

    private mutating func add(_ ranges: [ClosedRange<UInt32>], next: Int) throws(PatternError) -> Int {
        var first: Int?
        for sequence in ScalarRanges.bytes(ranges) {
            var start = next
            for range in sequence.reversed() { start = try add(.byte(range, next: start)) }
            first = try first.map { (other) throws(PatternError) in try add(.fork(start, other)) } ?? start
        }
        // Of no character at all: it leads nowhere.
        return try first ?? add(.fork(states.count, states.count))
    }
}
