internal import CMillrace

/// A regular expression as tables that are read a byte at a time: made once, at load, and refused there where that takes too
/// much. So a match takes the same time for each byte, whatever the pattern and the text are.
struct PatternMachine {
    /// States of one pattern's table.
    static let statesMax = 5_000
    private static let stepsMax = 20_000_000

    static let tooLarge = PatternError(
        message:
            "takes too many states; anchor it with ^, make its repetitions smaller, or use minLength and maxLength",
        place: nil)

    /// Of each byte.
    private(set) var classes = [UInt8](repeating: 0, count: 256)
    private(set) var classCount = 1
    /// `next[state * classCount + class]`.
    private(set) var next: [UInt16] = []
    /// `MR_PATTERN_…` bits of each state.
    private(set) var states: [UInt8] = []

    /// `pattern`: as JSON Schema has it. It matches a text that has it anywhere, unless `^` and `$` say where.
    init(_ pattern: String) throws(PatternError) {
        var builder = Builder(try PatternAutomaton(PatternParser.parse(pattern)))
        (classes, classCount) = builder.byteClasses
        try builder.run(classes: classes, classCount: classCount)
        next = builder.next
        states = builder.flags
    }

    /// The subset construction.
    private struct Builder {
        let automaton: PatternAutomaton
        private(set) var next: [UInt16] = []
        private(set) var flags: [UInt8] = []
        private var numbers: [[Int]: Int] = [:]
        private var sets: [[Int]] = []
        /// Where matching may begin at any later place.
        private var restart: [Int] = []
        private var marks: [Int]
        private var mark = 0
        private var steps = 0

        init(_ automaton: PatternAutomaton) {
            self.automaton = automaton
            marks = [Int](repeating: 0, count: automaton.states.count)
        }

        /// Bytes that all states treat alike are one class.
        var byteClasses: (classes: [UInt8], count: Int) {
            var begins = [Bool](repeating: false, count: 257)
            for case .byte(let range, _) in automaton.states {
                begins[Int(range.lowerBound)] = true
                begins[Int(range.upperBound) + 1] = true
            }
            var classes = [UInt8](repeating: 0, count: 256)
            var number = 0
            for byte in 1..<256 {
                if begins[byte] { number += 1 }
                classes[byte] = UInt8(number)
            }
            return (classes, number + 1)
        }

        mutating func run(classes: [UInt8], classCount: Int) throws(PatternError) {
            restart = try closure([automaton.first], isAtStart: false, isAtEnd: false)
            let start = try closure([automaton.first], isAtStart: true, isAtEnd: false)
            _ = try number(start, isAtStart: true)
            var bytes = [UInt8](repeating: 0, count: classCount)
            for byte in (0...255).reversed() { bytes[Int(classes[byte])] = UInt8(byte) }
            var state = 0
            while state < sets.count {
                for byte in bytes {
                    guard flags[state] & UInt8(MR_PATTERN_MATCHES | MR_PATTERN_FAILS) == 0 else {
                        next.append(UInt16(state))
                        continue
                    }
                    var reached: [Int] = []
                    for waiting in sets[state] {
                        guard case .byte(let range, let next) = automaton.states[waiting], range.contains(byte) else {
                            continue
                        }
                        reached.append(next)
                    }
                    steps += sets[state].count
                    let set = try closure(reached, isAtStart: false, isAtEnd: false, including: restart)
                    next.append(UInt16(try number(set, isAtStart: false)))
                }
                state += 1
            }
        }

        /// `isAtStart`: only of the set that the text begins with.
        private mutating func number(_ set: [Int], isAtStart: Bool) throws(PatternError) -> Int {
            if !isAtStart, let number = numbers[set] { return number }
            guard sets.count < PatternMachine.statesMax else { throw PatternMachine.tooLarge }
            var bits: Int32 = 0
            if set.first == 0 {
                bits = Int32(MR_PATTERN_MATCHES | MR_PATTERN_MATCHES_AT_END)
            } else if try closure(set, isAtStart: isAtStart, isAtEnd: true).first == 0 {
                bits = Int32(MR_PATTERN_MATCHES_AT_END)
            } else if set.isEmpty, restart.isEmpty {
                bits = Int32(MR_PATTERN_FAILS)
            }
            sets.append(set)
            flags.append(UInt8(bits))
            if !isAtStart { numbers[set] = sets.count - 1 }
            return sets.count - 1
        }

        /// The states that `from` come to without a byte, sorted: those that wait for a byte or the end, and the match, which
        /// is state 0.
        private mutating func closure(
            _ from: [Int], isAtStart: Bool, isAtEnd: Bool, including others: [Int] = []
        ) throws(PatternError) -> [Int] {
            mark += 1
            var open = from
            var found: [Int] = []
            for state in others where marks[state] != mark {
                marks[state] = mark
                found.append(state)
            }
            while let state = open.popLast() {
                guard marks[state] != mark else { continue }
                marks[state] = mark
                steps += 1
                switch automaton.states[state] {
                case .fork(let first, let second): open += [first, second]
                case .start(let next): if isAtStart { open.append(next) }
                case .end(let next): if isAtEnd { open.append(next) } else { found.append(state) }
                case .byte, .match: found.append(state)
                }
            }
            guard steps <= PatternMachine.stepsMax else { throw PatternMachine.tooLarge }
            found.sort()
            return found
        }
    }
}
