internal import MillraceArchive
internal import MillraceConsole
internal import MillracePostgres

/// What became of months.
struct MonthReport: Encodable {
    struct Month: Encodable {
        var table: String
        var month: String
        var state: String
        var rows: Int?
        /// Of the archive, compressed.
        var archiveBytes: Int?
        /// Where the archive is.
        var archive: String?
        var manifestSha256: String?
        var error: String?

        init(_ record: MonthRecord, error: String? = nil) {
            table = record.table.rawValue
            month = record.month.label
            state = record.state.rawValue
            rows = record.rows
            archiveBytes = record.archiveBytes
            archive = record.location
            manifestSha256 = record.manifestSHA256
            self.error = error
        }

        var text: String {
            let rows = rows.map { ", \(Format.count($0)) rows" } ?? ""
            let files = archive.map { ", archive \($0) (\(Format.bytes(archiveBytes ?? 0)))" } ?? ""
            return "\(table) \(month): \(state)\(rows)\(files)" + (error.map { "\n  \($0)" } ?? "")
        }
    }

    var months: [Month] = []

    /// For people.
    var text: String {
        months.isEmpty ? "nothing to do" : months.map(\.text).joined(separator: "\n")
    }

    /// One line of progress.
    static func line(_ name: String, _ progress: MonthProgress, elapsed: Duration, perSecond: Double) -> String {
        var parts = ["\(name): \(progress.step.rawValue)"]
        if progress.of > 0 {
            let fraction = Double(progress.rows) / Double(progress.of)
            parts.insert(Format.bar(fraction), at: 0)
            parts.append("\(Format.count(progress.rows)) of \(Format.count(progress.of))")
            if perSecond > 0 { parts.append("\(Format.count(Int(perSecond)))/s") }
        }
        if let detail = progress.detail { parts.append(detail) }
        return parts.joined(separator: "  ")
    }
}
