/// Reads a regular expression of ECMA-262, as far as one can be matched by looking at each byte once: no look-around, no
/// backreferences, no word boundaries. `^` and `$` are the text's beginning and end. Throws `PatternError`.
struct PatternParser {
    /// How often `{n,m}` may repeat something.
    static let repeatsMax = 1000
    private static let depthMax = 50

    private let scalars: [Unicode.Scalar]
    private var index = 0
    private var depth = 0

    private init(_ pattern: String) {
        scalars = Array(pattern.unicodeScalars)
    }

    static func parse(_ pattern: String) throws(PatternError) -> PatternNode {
        var parser = PatternParser(pattern)
        let node = try parser.choice()
        if parser.index < parser.scalars.count { throw parser.error("a ) without its (; write \\) for the character") }
        return node
    }

    private var next: Unicode.Scalar? { index < scalars.count ? scalars[index] : nil }

    private func error(_ message: String) -> PatternError { PatternError(message: message, place: index + 1) }

    private mutating func take(_ scalar: Unicode.Scalar) -> Bool {
        guard next == scalar else { return false }
        index += 1
        return true
    }

    private mutating func take(_ text: String) -> Bool {
        let wanted = Array(text.unicodeScalars)
        guard scalars[index...].starts(with: wanted) else { return false }
        index += wanted.count
        return true
    }

    private mutating func choice() throws(PatternError) -> PatternNode {
        depth += 1
        defer { depth -= 1 }
        guard depth <= Self.depthMax else { throw error("more than \(Self.depthMax) groups inside each other") }
        var choices = [try sequence()]
        while take("|") { choices.append(try sequence()) }
        return choices.count == 1 ? choices[0] : .choice(choices)
    }

    private mutating func sequence() throws(PatternError) -> PatternNode {
        var nodes: [PatternNode] = []
        while let scalar = next, scalar != "|", scalar != ")" {
            let node = try atom()
            nodes.append(try quantified(node))
        }
        return nodes.count == 1 ? nodes[0] : .sequence(nodes)
    }

    private mutating func atom() throws(PatternError) -> PatternNode {
        guard let scalar = next else { return .sequence([]) }
        switch scalar {
        case "^":
            index += 1
            return .start
        case "$":
            index += 1
            return .end
        case ".":
            index += 1
            return .scalars(ScalarRanges.complement(ScalarRanges.lineEnds))
        case "(": return try group()
        case "[": return .scalars(try characterClass())
        case "\\": return .scalars(try escape(inClass: false))
        case "*", "+", "?":
            throw error("\(scalar) with nothing before it to repeat; write \\\(scalar) for the character")
        case "{": throw error("{ with nothing before it to repeat, or without its numbers; write \\{ for the character")
        default:
            index += 1
            return .scalars([scalar.value...scalar.value])
        }
    }

    private mutating func group() throws(PatternError) -> PatternNode {
        let start = index
        index += 1
        if take("?") {
            if take("=") || take("!") || take("<=") || take("<!") {
                throw PatternError(message: "look-ahead and look-behind are not supported", place: start + 1)
            }
            if take("<") {
                while let scalar = next, scalar != ">" { index += 1 }
                guard take(">") else { throw error("a group's name without its end") }
            } else if !take(":") {
                throw error("(? with something else than : or <name> behind it")
            }
        }
        let node = try choice()
        guard take(")") else { throw PatternError(message: "a ( without its )", place: start + 1) }
        return node
    }

    // MARK: Repetition

    private mutating func quantified(_ node: PatternNode) throws(PatternError) -> PatternNode {
        let (min, max): (Int, Int?)
        switch next {
        case "*": (min, max) = (0, nil)
        case "+": (min, max) = (1, nil)
        case "?": (min, max) = (0, 1)
        case "{": (min, max) = try bounds()
        default: return node
        }
        if node == .start || node == .end { throw error("a repeated ^ or $") }
        index += 1
        // What is lazy matches the same texts.
        _ = take("?")
        if next == "*" || next == "+" || next == "?" || next == "{" {
            throw error("two repetitions in a row; put the first into a group")
        }
        return .repeated(node, min: min, max: max)
    }

    /// Leaves the closing brace to be taken.
    private mutating func bounds() throws(PatternError) -> (Int, Int?) {
        index += 1
        guard let min = number() else { throw error("{ without a number behind it; write \\{ for the character") }
        var max: Int? = min
        if take(",") { max = number() }
        guard next == "}" else { throw error("{ without its }; {2}, {2,} or {2,5} are wanted") }
        guard min <= Self.repeatsMax, max ?? 0 <= Self.repeatsMax else {
            throw error("a repetition above \(Self.repeatsMax) times; minLength and maxLength have no such bound")
        }
        if let max, max < min { throw error("a repetition of {\(min),\(max)}; the smaller number comes first") }
        return (min, max)
    }

    private mutating func number() -> Int? {
        let digits = scalars[index...].prefix { ("0"..."9").contains($0) }
        guard !digits.isEmpty else { return nil }
        index += digits.count
        return Int(String(String.UnicodeScalarView(digits))) ?? Int.max
    }

    // MARK: Characters

    private mutating func characterClass() throws(PatternError) -> [ClosedRange<UInt32>] {
        let start = index
        index += 1
        let isNegated = take("^")
        var ranges: [ClosedRange<UInt32>] = []
        while !take("]") {
            guard next != nil else { throw PatternError(message: "a [ without its ]", place: start + 1) }
            let first = try classAtom()
            guard next == "-", index + 1 < scalars.count, scalars[index + 1] != "]" else {
                ranges += first
                continue
            }
            index += 1
            let last = try classAtom()
            guard let low = Self.single(first), let high = Self.single(last) else {
                throw error("a range with a set of characters as one of its ends")
            }
            guard low <= high else { throw error("a range that ends before it begins") }
            ranges.append(low...high)
        }
        let union = ScalarRanges.union(ranges)
        return isNegated ? ScalarRanges.complement(union) : union
    }

    private static func single(_ ranges: [ClosedRange<UInt32>]) -> UInt32? {
        guard ranges.count == 1, ranges[0].count == 1 else { return nil }
        return ranges[0].lowerBound
    }

    private mutating func classAtom() throws(PatternError) -> [ClosedRange<UInt32>] {
        guard let scalar = next else { throw error("a [ without its ]") }
        if scalar == "\\" { return try escape(inClass: true) }
        index += 1
        return [scalar.value...scalar.value]
    }

    private mutating func escape(inClass: Bool) throws(PatternError) -> [ClosedRange<UInt32>] {
        let start = index
        index += 1
        guard let letter = next else { throw error("a backslash at the end") }
        index += 1
        func unsupported(_ what: String) -> PatternError { PatternError(message: what, place: start + 1) }
        switch letter {
        case "d": return ScalarRanges.digits
        case "D": return ScalarRanges.complement(ScalarRanges.digits)
        case "w": return ScalarRanges.word
        case "W": return ScalarRanges.complement(ScalarRanges.word)
        case "s": return ScalarRanges.space
        case "S": return ScalarRanges.complement(ScalarRanges.space)
        case "t": return [0x09...0x09]
        case "n": return [0x0A...0x0A]
        case "v": return [0x0B...0x0B]
        case "f": return [0x0C...0x0C]
        case "r": return [0x0D...0x0D]
        case "b" where inClass: return [0x08...0x08]
        case "0" where !("0"..."9").contains(next ?? " "): return [0...0]
        case "x": return try hexadecimal(2)
        case "u": return try unicode()
        case "c":
            guard let control = next, control.isASCII, control.properties.isAlphabetic else {
                throw unsupported("\\c without a letter behind it")
            }
            index += 1
            return [control.value % 32...control.value % 32]
        case "b", "B": throw unsupported("\\\(letter), the boundary of a word, is not supported")
        case "p", "P":
            throw unsupported("\\\(letter), a Unicode property, is not supported; name the characters, as [a-zà-ÿ]")
        case "k", "0"..."9": throw unsupported("\\\(letter), what a group matched, is not supported")
        default:
            guard letter.isASCII, !letter.properties.isAlphabetic, letter != " " else {
                throw unsupported("\\\(letter) is no escape of ECMA-262")
            }
            return [letter.value...letter.value]
        }
    }

    private mutating func hexadecimal(_ count: Int) throws(PatternError) -> [ClosedRange<UInt32>] {
        let digits = String(String.UnicodeScalarView(scalars[index...].prefix(count)))
        guard digits.utf8.count == count, let value = UInt32(digits, radix: 16), digits.first != "+" else {
            throw error("\(count) hexadecimal digits are wanted here")
        }
        guard Unicode.Scalar(value) != nil else {
            throw error("half of a surrogate pair; \\u{1F600}, or the character itself, is wanted")
        }
        index += count
        return [value...value]
    }

    /// `\u` and four hexadecimal digits, a pair of these, or `\u{…}`.
    private mutating func unicode() throws(PatternError) -> [ClosedRange<UInt32>] {
        guard take("{") else {
            let high = String(String.UnicodeScalarView(scalars[index...].prefix(4)))
            let low = String(String.UnicodeScalarView(scalars[index...].dropFirst(6).prefix(4)))
            if scalars[index...].dropFirst(4).starts(with: "\\u".unicodeScalars), let high = UInt32(high, radix: 16),
                let low = UInt32(low, radix: 16), (0xD800...0xDBFF).contains(high), (0xDC00...0xDFFF).contains(low)
            {
                index += 10
                let value = 0x10000 + (high - 0xD800) << 10 + (low - 0xDC00)
                return [value...value]
            }
            return try hexadecimal(4)
        }
        let digits = scalars[index...].prefix { $0 != "}" }
        guard let value = UInt32(String(String.UnicodeScalarView(digits)), radix: 16), Unicode.Scalar(value) != nil
        else {
            throw error("\\u{…} with something else than a character's number")
        }
        index += digits.count
        guard take("}") else { throw error("\\u{ without its }") }
        return [value...value]
    }
}
