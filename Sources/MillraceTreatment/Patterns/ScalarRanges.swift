/// Sets of characters as ECMA-262 names them, as sorted ranges of Unicode scalars.
enum ScalarRanges {
    static let all: [ClosedRange<UInt32>] = [0...0xD7FF, 0xE000...0x10FFFF]
    static let digits: [ClosedRange<UInt32>] = [0x30...0x39]
    static let word: [ClosedRange<UInt32>] = [0x30...0x39, 0x41...0x5A, 0x5F...0x5F, 0x61...0x7A]
    /// `\s`: WhiteSpace and LineTerminator.
    static let space: [ClosedRange<UInt32>] = [
        0x09...0x0D, 0x20...0x20, 0xA0...0xA0, 0x1680...0x1680, 0x2000...0x200A, 0x2028...0x2029, 0x202F...0x202F,
        0x205F...0x205F, 0x3000...0x3000, 0xFEFF...0xFEFF,
    ]
    /// What `.` does not match.
    static let lineEnds: [ClosedRange<UInt32>] = [0x0A...0x0A, 0x0D...0x0D, 0x2028...0x2029]

    /// Sorted, without overlaps.
    static func union(_ ranges: [ClosedRange<UInt32>]) -> [ClosedRange<UInt32>] {
        var joined: [ClosedRange<UInt32>] = []
        for range in ranges.sorted(by: { $0.lowerBound < $1.lowerBound }) {
            if let last = joined.last, range.lowerBound <= last.upperBound + 1 {
                joined[joined.count - 1] = last.lowerBound...max(last.upperBound, range.upperBound)
            } else {
                joined.append(range)
            }
        }
        return joined
    }

    /// Every scalar that is in none of `ranges`.
    static func complement(_ ranges: [ClosedRange<UInt32>]) -> [ClosedRange<UInt32>] {
        var left: [ClosedRange<UInt32>] = []
        for piece in all {
            var next = piece.lowerBound
            for range in union(ranges) where range.overlaps(piece) {
                if range.lowerBound > next { left.append(next...range.lowerBound - 1) }
                next = max(next, range.upperBound + 1)
            }
            if next <= piece.upperBound { left.append(next...piece.upperBound) }
        }
        return left
    }

    /// The UTF-8 of `ranges`: sequences of ranges of bytes, each of which stands for all combinations.
    static func bytes(_ ranges: [ClosedRange<UInt32>]) -> [[ClosedRange<UInt8>]] {
        var sequences: [[ClosedRange<UInt8>]] = []
        for range in ranges {
            for length: ClosedRange<UInt32> in [
                0...0x7F, 0x80...0x7FF, 0x800...0xD7FF, 0xE000...0xFFFF, 0x10000...0x10FFFF,
            ]
            where range.overlaps(length) {
                split(range.clamped(to: length), &sequences)
            }
        }
        return sequences
    }

    /// `range`: of scalars of one length.
    private static func split(_ range: ClosedRange<UInt32>, _ sequences: inout [[ClosedRange<UInt8>]]) {
        let (low, high) = (range.lowerBound, range.upperBound)
        let first = utf8(low)
        for count in 1..<max(1, first.count) {
            // What the last `count` bytes hold.
            let mask: UInt32 = 1 << (6 * UInt32(count)) - 1
            guard low & ~mask != high & ~mask else { continue }
            if low & mask != 0 {
                split(low...(low | mask), &sequences)
                return split((low | mask) + 1...high, &sequences)
            }
            if high & mask != mask {
                split(low...(high & ~mask) - 1, &sequences)
                return split(high & ~mask...high, &sequences)
            }
        }
        sequences.append(zip(first, utf8(high)).map { $0...$1 })
    }

    private static func utf8(_ value: UInt32) -> [UInt8] {
        Unicode.Scalar(value).map { Array(String(Character($0)).utf8) } ?? []
    }
}
