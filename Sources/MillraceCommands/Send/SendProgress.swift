/// How far a `send` is.
struct SendProgress: Equatable {
    var accepted: Int
    var refused: Int
    /// Of the input as it stands, before decompression.
    var readBytes: Int
    /// nil when the input is no file.
    var totalBytes: Int?
    /// Lines read and not settled.
    var unsettled: Int
    /// Why there is no connection now.
    var trouble: String?

    /// 0 ... 1; nil when the input's size is not known.
    var fraction: Double? {
        guard let totalBytes, totalBytes > 0 else { return nil }
        return min(1, Double(readBytes) / Double(totalBytes))
    }

    /// One line for a reader: a bar where the size is known.
    /// - Parameters:
    ///   - elapsed: since the start.
    ///   - linesPerSecond: of late.
    func line(elapsed: Duration, linesPerSecond: Double) -> String {
        var parts: [String] = []
        if let fraction {
            let filled = Int((fraction * 24).rounded(.down))
            let bar = String(repeating: "#", count: filled) + String(repeating: "-", count: 24 - filled)
            parts.append("[\(bar)] \(Int(fraction * 100))%")
        }
        parts.append("\(Format.count(accepted)) accepted")
        if refused > 0 { parts.append("\(Format.count(refused)) refused") }
        if let trouble {
            parts.append("waiting: \(trouble)")
            return parts.joined(separator: "  ")
        }
        parts.append("\(Format.count(Int(linesPerSecond))) lines/s")
        if let fraction, fraction > 0.01, fraction < 1 {
            parts.append("ETA \(Format.duration(elapsed * ((1 - fraction) / fraction)))")
        }
        return parts.joined(separator: "  ")
    }
}
