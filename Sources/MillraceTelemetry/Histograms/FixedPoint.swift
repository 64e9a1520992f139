/// Decimal numbers as text, without Foundation and locales.
enum FixedPoint {
    /// `value` rounded to `decimals` digits behind the point, flush right in `width` characters. What doesn't fit into
    /// 63 bits at that resolution is `Infinity`.
    static func text(_ value: Double, decimals: Int, width: Int = 0) -> String {
        var scale = 1
        for _ in 0..<decimals { scale *= 10 }
        var text = "Infinity"
        if let scaled = Int64(exactly: (value * Double(scale)).rounded()) {
            let digits = String(scaled.magnitude)
            let padded = String(repeating: "0", count: max(0, decimals + 1 - digits.count)) + digits
            text = (scaled < 0 ? "-" : "") + padded.dropLast(decimals)
            if decimals > 0 { text += "." + padded.suffix(decimals) }
        }
        return pad(text, to: width)
    }

    /// Flush right.
    static func pad(_ text: String, to width: Int) -> String {
        String(repeating: " ", count: max(0, width - text.count)) + text
    }
}
