/// `"64MiB"` as 64 and `MiB`.
enum NumberWithUnit {
    /// Nil when `text` doesn't begin with a decimal number that fits `Int`. A blank before the unit is allowed.
    static func split(_ text: String) -> (number: Int, suffix: String)? {
        let digits = text.utf8.prefix { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
        guard let number = Int(String(digits) ?? "") else { return nil }
        let suffix = text.dropFirst(digits.count)
        return (number, String(suffix.first == " " ? suffix.dropFirst() : suffix))
    }
}

/// Sizes in bytes as text: `"64MiB"`.
package enum ByteSize {
    private static let units: [(suffix: String, bytes: Int)] = [
        ("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1),
    ]

    /// Nil when `text` is no whole number followed by `B`, `KiB`, `MiB`, `GiB` or `TiB`, or is beyond `Int`.
    package static func parse(_ text: String) -> Int? {
        guard let (number, suffix) = NumberWithUnit.split(text) else { return nil }
        guard let unit = units.first(where: { $0.suffix.lowercased() == suffix.lowercased() }) else { return nil }
        let (bytes, overflow) = number.multipliedReportingOverflow(by: unit.bytes)
        return overflow ? nil : bytes
    }

    /// In the largest unit that divides `bytes`.
    static func format(_ bytes: Int) -> String {
        guard bytes != 0, let unit = units.first(where: { bytes % $0.bytes == 0 }) else { return "\(bytes)B" }
        return "\(bytes / unit.bytes)\(unit.suffix)"
    }
}

/// Durations as text: `"250ms"`, `"10s"`, `"5m"`, `"24h"`, `"30d"`, `"13mo"`.
enum DurationText {
    /// A month is 31 days here, so that a limit in months never falls short of calendar months.
    private static let units: [(suffix: String, milliseconds: Int)] = [
        ("mo", 31 * 86_400_000), ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1),
    ]

    /// Nil when `text` is no whole number followed by one of the units, or is beyond what `Int` milliseconds hold.
    static func parse(_ text: String) -> Duration? {
        guard let (number, suffix) = NumberWithUnit.split(text),
            let unit = units.first(where: { $0.suffix == suffix })
        else { return nil }
        let (milliseconds, overflow) = number.multipliedReportingOverflow(by: unit.milliseconds)
        return overflow ? nil : .milliseconds(milliseconds)
    }

    /// In the largest unit that divides `duration`, which is whole milliseconds.
    static func format(_ duration: Duration) -> String {
        let milliseconds =
            Int(duration.components.seconds) * 1000 + Int(duration.components.attoseconds / 1_000_000_000_000_000)
        guard milliseconds != 0, let unit = units.first(where: { milliseconds % $0.milliseconds == 0 }) else {
            return "0s"
        }
        return "\(milliseconds / unit.milliseconds)\(unit.suffix)"
    }
}
