/// How numbers are written for people.
package enum Format {
    /// Thousands apart: `13,295`.
    package static func count(_ value: Int) -> String {
        var digits = String(value.magnitude)
        var groups: [Substring] = []
        while digits.count > 3 {
            groups.insert(digits.suffix(3), at: 0)
            digits = String(digits.dropLast(3))
        }
        return (value < 0 ? "-" : "") + ([digits[...]] + groups).joined(separator: ",")
    }

    /// `1.5 MiB`.
    package static func bytes(_ value: Int) -> String {
        var amount = Double(value)
        var unit = 0
        let units = ["B", "KiB", "MiB", "GiB", "TiB"]
        while amount >= 1024, unit < units.count - 1 {
            amount /= 1024
            unit += 1
        }
        return unit == 0 ? "\(value) B" : "\(decimal(amount)) \(units[unit])"
    }

    /// A setting, as it is written: `16 GiB`.
    package static func size(_ value: Int) -> String {
        bytes(value).replacing(".0 ", with: " ")
    }

    /// `0.42 s`, `12 s`, `3 min 20 s`, `2 h 5 min`, `4 d 3 h`.
    package static func duration(_ value: Duration) -> String {
        let seconds = value.inSeconds
        if seconds < 10 {
            let hundredths = Int((seconds * 100).rounded())
            return "\(hundredths / 100).\(hundredths % 100 < 10 ? "0" : "")\(hundredths % 100) s"
        }
        let whole = Int(seconds.rounded())
        switch whole {
        case ..<60: return "\(whole) s"
        case ..<3600: return "\(whole / 60) min \(whole % 60) s"
        case ..<86400: return "\(whole / 3600) h \(whole % 3600 / 60) min"
        default: return "\(whole / 86400) d \(whole % 86400 / 3600) h"
        }
    }

    /// One digit after the point.
    package static func decimal(_ value: Double) -> String {
        let tenths = Int((value * 10).rounded())
        return "\(tenths / 10).\(abs(tenths % 10))"
    }

    /// `12.345` of 12345 microseconds.
    package static func milliseconds(_ microseconds: UInt64) -> String {
        let rest = String(microseconds % 1000)
        return "\(microseconds / 1000)." + String(repeating: "0", count: 3 - rest.count) + rest
    }

    /// `[######------------------] 25%`. `fraction`: 0 ... 1, what lies beyond is cut off.
    package static func bar(_ fraction: Double) -> String {
        let fraction = min(1, max(0, fraction))
        let filled = Int((fraction * 24).rounded(.down))
        return
            "[\(String(repeating: "#", count: filled))\(String(repeating: "-", count: 24 - filled))] \(Int(fraction * 100))%"
    }

    /// `ETA 3 min 20 s` of what has taken `elapsed` up to `fraction`; nil at the very start and at the end.
    package static func timeLeft(_ fraction: Double, elapsed: Duration) -> String? {
        guard fraction > 0.01, fraction < 1 else { return nil }
        return "ETA \(duration(elapsed * ((1 - fraction) / fraction)))"
    }

    /// Columns side by side, two blanks apart; a column of numbers is flush right.
    package static func table(_ rows: [[String]]) -> String {
        let columns = rows.map(\.count).max() ?? 0
        var widths = Array(repeating: 0, count: columns)
        var isNumeric = Array(repeating: rows.count > 1, count: columns)
        for (index, row) in rows.enumerated() {
            for (column, cell) in row.enumerated() {
                widths[column] = max(widths[column], cell.count)
                if index > 0, !cell.allSatisfy({ $0.isNumber || ",.-%".contains($0) }) { isNumeric[column] = false }
            }
        }
        return rows.map { row in
            var line = ""
            for (column, cell) in row.enumerated() {
                let padding = String(repeating: " ", count: widths[column] - cell.count)
                line += (column > 0 ? "  " : "") + (isNumeric[column] ? padding + cell : cell + padding)
            }
            while line.last == " " { line.removeLast() }
            return line
        }.joined(separator: "\n")
    }
}

extension Duration {
    /// Seconds with their fraction.
    package var inSeconds: Double {
        Double(components.seconds) + Double(components.attoseconds) / 1e18
    }

    /// Seconds to the millisecond, as reports in JSON give them.
    package var reportedSeconds: Double { (inSeconds * 1000).rounded() / 1000 }
}
