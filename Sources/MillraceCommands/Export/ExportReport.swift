internal import MillraceEvent
internal import MillracePostgres

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
    /// Left out: too large to read.
    var rowsUnread: Int
    /// Ids of some of them.
    var unread: [String]
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
        if rowsUnread > 0 {
            lines.append(
                "\(Format.count(rowsUnread)) rows are too large to read and were left out: "
                    + "\(unread.joined(separator: ", ")); their numbers are more than "
                    + "\(PrintedSize.bytesMax >> 20) MiB when printed: shorten or delete them")
        }
        return lines.joined(separator: "\n")
    }
}
