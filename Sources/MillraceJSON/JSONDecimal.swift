/// A number as its digits tell it, so that 1, 1.0 and 10e-1 are equal and no digit is lost: what `numeric` compares by.
package struct JSONDecimal: Sendable, Equatable {
    private let isNegative: Bool
    /// Without zeros at either end; none for zero.
    private let digits: [UInt8]
    /// The value is 0.DIGITS times ten to this power.
    private let power: Int

    /// Nil for what is no number of JSON, and where the exponent is beyond `Int`.
    package init?(_ text: some Collection<UInt8>) {
        var rest = text[...]
        isNegative = rest.first == UInt8(ascii: "-")
        if isNegative { rest = rest.dropFirst() }
        let mantissa = rest.prefix { $0 != UInt8(ascii: "e") && $0 != UInt8(ascii: "E") }
        let whole = mantissa.prefix { $0 != UInt8(ascii: ".") }
        let fraction = mantissa.dropFirst(whole.count + 1)
        let written = Array(whole) + Array(fraction)
        guard !whole.isEmpty, written.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }) else {
            return nil
        }
        var exponent = 0
        let tail = rest.dropFirst(mantissa.count + 1)
        if mantissa.count < rest.count {
            let isSigned = tail.first == UInt8(ascii: "+") || tail.first == UInt8(ascii: "-")
            let magnitude = isSigned ? tail.dropFirst() : tail
            guard magnitude.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }),
                let number = Int(String(decoding: magnitude, as: UTF8.self))
            else { return nil }
            exponent = tail.first == UInt8(ascii: "-") ? -number : number
        }
        let significant = written.drop { $0 == UInt8(ascii: "0") }
        let last = significant.lastIndex { $0 != UInt8(ascii: "0") }
        digits = last.map { Array(significant[...$0]) } ?? []
        guard !digits.isEmpty else {
            power = 0
            return
        }
        let (sum, isTooLarge) = exponent.addingReportingOverflow(whole.count - (written.count - significant.count))
        guard !isTooLarge else { return nil }
        power = sum
    }

    /// Zero has no sign.
    package static func == (left: JSONDecimal, right: JSONDecimal) -> Bool {
        left.digits == right.digits && left.power == right.power
            && (left.isNegative == right.isNegative || left.digits.isEmpty)
    }
}
