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
