internal import MillraceEvent

/// Undoes `compressToBase64` of the library lz-string, which browsers' SDKs once used.
///
/// Six bits a character, the highest first, make codes whose bits come lowest first: 0 and 1 announce a new UTF-16 unit of 8
/// or 16 bits, 2 is the end, all others are entries of a dictionary that grows by one a code, and codes by a bit each time it
/// doubles.
struct LZString {
    private let input: [UInt8]
    /// Of the next bit.
    private var place = 0
    private var output: [UInt16] = []
    /// Where in the output an entry first stands. The first three are no entries.
    private var entries: [(start: Int, count: Int)] = [(0, 0), (0, 0), (0, 0)]

    private init(_ input: [UInt8]) { self.input = input }

    /// - Parameters:
    ///   - text: base64; other characters are skipped.
    ///   - bytesMax: of the result, in bytes.
    /// - Throws: where it is none, or makes more than `bytesMax`.
    static func decompressed(_ text: some Collection<UInt8>, bytesMax: Int) throws(Refusal) -> [UInt8] {
        var stream = LZString(text.compactMap { value(of: $0) })
        try stream.run(unitsMax: bytesMax)
        let result = Array(String(decoding: stream.output, as: UTF16.self).utf8)
        guard result.count <= bytesMax else { throw tooLong(bytesMax) }
        return result
    }

    private mutating func run(unitsMax: Int) throws(Refusal) {
        // The first code is of two bits and announces a unit, or the end.
        guard var entry = try announced(by: code(ofBits: 2)) else { return }
        var (width, left) = (3, 4)
        while let code = try self.code(ofBits: width, isEndAllowed: true) {
            let last = entry
            if code < 2 {
                guard let unit = try announced(by: code) else { return }
                entry = unit
                left -= 1
                if left == 0 { (left, width) = (1 << width, width + 1) }
            } else if code == 2 {
                return
            } else if code < entries.count {
                entry = copied(entries[code])
            } else if code == entries.count {
                // What is just being made: the last one, and its first unit once more.
                entry = (output.count, last.count + 1)
                output.append(contentsOf: output[last.start..<last.start + last.count])
                output.append(output[last.start])
            } else {
                throw Self.damaged
            }
            guard output.count <= unitsMax else { throw Self.tooLong(unitsMax) }
            // The last one, and the unit behind it.
            entries.append((last.start, last.count + 1))
            left -= 1
            if left == 0 { (left, width) = (1 << width, width + 1) }
        }
    }

    /// A new unit, which is an entry from now on; nil at the end.
    private mutating func announced(by code: Int?) throws(Refusal) -> (start: Int, count: Int)? {
        guard let code, code < 2 else { return nil }
        guard let unit = try self.code(ofBits: code == 0 ? 8 : 16) else { throw Self.damaged }
        let entry = (output.count, 1)
        output.append(UInt16(unit))
        entries.append(entry)
        return entry
    }

    private mutating func copied(_ entry: (start: Int, count: Int)) -> (start: Int, count: Int) {
        let start = output.count
        output.append(contentsOf: output[entry.start..<entry.start + entry.count])
        return (start, entry.count)
    }

    private mutating func code(ofBits count: Int, isEndAllowed: Bool = false) throws(Refusal) -> Int? {
        guard place + count <= input.count * 6 else {
            if isEndAllowed { return nil }
            throw Self.damaged
        }
        var code = 0
        for bit in 0..<count {
            code |= Int(input[place / 6] >> (5 - place % 6) & 1) << bit
            place += 1
        }
        return code
    }

    private static let damaged = Refusal(.invalidJSON, "data is no text that lz-string compressed")

    private static func tooLong(_ bytesMax: Int) -> Refusal {
        Refusal(.invalidJSON, "data has more than \(bytesMax) bytes when decompressed")
    }

    private static func value(of character: UInt8) -> UInt8? {
        switch character {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): character - UInt8(ascii: "A")
        case UInt8(ascii: "a")...UInt8(ascii: "z"): character - UInt8(ascii: "a") + 26
        case UInt8(ascii: "0")...UInt8(ascii: "9"): character - UInt8(ascii: "0") + 52
        // A form makes + a blank.
        case UInt8(ascii: "+"), UInt8(ascii: " "): 62
        case UInt8(ascii: "/"): 63
        default: nil
        }
    }
}
