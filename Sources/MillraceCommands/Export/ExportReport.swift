internal import MillraceEvent

/// What an `export` wrote.
struct ExportReport: Encodable {
    /// nil for standard output.
    var file: String?
    /// Inclusive.
    var from: String
    /// Exclusive.
    var to: String
    var events: Int
    var conversations: Int
    /// Left out.
    var inactiveConversations: Int
    var total: Int
    /// Before compression.
    var bytes: Int
    var writtenBytes: Int
    var seconds: Double

    /// For people.
    var text: String {
        let rate = seconds > 0 ? Int(Double(total) / seconds) : 0
        var lines = [
            "exported: events \(Format.count(events)), conversations \(Format.count(conversations)), "
                + "total \(Format.count(total)) in \(Format.duration(.seconds(seconds))) (\(Format.count(rate)) rows/s)",
            "\(file ?? "standard output"): \(Format.bytes(writtenBytes)) (\(Format.bytes(bytes)) of NDJSON)",
        ]
        if inactiveConversations > 0 {
            lines.append("\(Format.count(inactiveConversations)) conversations that are not active were left out")
        }
        return lines.joined(separator: "\n")
    }
}
