/// Searches the highest rate whose p99 holds: doubles from a first guess until a step fails (or halves until one holds),
/// then bisects between the highest that held and the lowest that failed. A step that fails is run once more, and its
/// rate counts as failed when it fails again: a hiccup of the machine would otherwise cut the search short.
struct RateSearch {
    struct Step: Equatable, Sendable {
        /// Events a second, wanted and sent.
        var rate: Double
        var sentRate: Double
        /// The corrected p99.
        var p99Microseconds: UInt64
        var held: Bool
    }

    /// A step fails, too, when less of its rate was sent than this.
    static let sentShareMin = 0.98
    /// Highest and lowest are apart by no more than this share when the search ends.
    static let precision = 0.05
    static let rateMin = 1.0
    static let attemptsMax = 2

    private let p99MaxMicroseconds: Double
    private let stepsMax: Int
    private let firstRate: Double
    private(set) var steps: [Step] = []

    init(p99MaxMicroseconds: Double, firstRate: Double, stepsMax: Int) {
        self.p99MaxMicroseconds = p99MaxMicroseconds
        self.firstRate = max(Self.rateMin, firstRate)
        self.stepsMax = stepsMax
    }

    /// The highest rate that held, below every one that failed for good; nil: none.
    var highestHeld: Step? {
        let failed = lowestFailed ?? .infinity
        return steps.filter { $0.held && $0.rate < failed }.max { $0.rate < $1.rate }
    }

    /// The rate to try next; nil: the search is over.
    var nextRate: Double? {
        guard steps.count < stepsMax else { return nil }
        guard let last = steps.last else { return firstRate }
        if !last.held, failures(last.rate) < Self.attemptsMax { return last.rate }
        guard let failed = lowestFailed else { return highestHeld.map { $0.rate * 2 } }
        guard let held = highestHeld?.rate else { return failed / 2 >= Self.rateMin ? (failed / 2).rounded() : nil }
        guard failed / held > 1 + Self.precision else { return nil }
        let middle = ((held + failed) / 2).rounded()
        return middle > held && middle < failed ? middle : nil
    }

    /// The step at `nextRate` is over.
    @discardableResult
    mutating func stepEnded(rate: Double, sentRate: Double, p99Microseconds: UInt64) -> Step {
        let held =
            Double(p99Microseconds) <= p99MaxMicroseconds && sentRate >= rate * Self.sentShareMin
        let step = Step(rate: rate, sentRate: sentRate, p99Microseconds: p99Microseconds, held: held)
        steps.append(step)
        return step
    }

    private var lowestFailed: Double? {
        steps.map(\.rate).filter { failures($0) >= Self.attemptsMax }.min()
    }

    private func failures(_ rate: Double) -> Int { steps.count { $0.rate == rate && !$0.held } }
}
