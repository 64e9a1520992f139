internal import MillraceConsole
internal import MillracePostgres

extension CareReport {
    /// For people: each part that has something to show, and below it the commands that help.
    var text: String {
        var lines = [
            "\(database) on PostgreSQL \(server), as \(role)"
                + (statisticsSince.map { "; statistics since \($0)" } ?? "")
        ]
        lines += notes.map { "note: \($0)" }
        for table in tables {
            lines.append("")
            lines.append("\(table.name): \(table.title)")
            if let note = table.note { lines.append("  note: \(note)") }
            guard !table.rows.isEmpty else {
                if table.note == nil { lines.append("  none") }
                continue
            }
            // What fixes a row stands below, where a long command does not stretch the table.
            let head = table.columns.filter { $0 != "fix" }
            let rows = table.rows.map { row in
                zip(table.columns, row).filter { $0.0 != "fix" }.map { Self.text($0.1, $0.0) }
            }
            lines += Format.table([head] + rows).split(separator: "\n").map { "  \($0)" }
            var told: Set<String> = []
            for fix in table.fixes where told.insert(fix).inserted { lines.append("  fix: \(fix)") }
        }
        return lines.joined(separator: "\n")
    }

    private static func text(_ value: CareTable.Value, _ column: String) -> String {
        switch value {
        case .none: "-"
        case .bool(let bool): bool ? "yes" : "no"
        case .integer(let number) where column.hasSuffix("bytes"): Format.bytes(number)
        case .integer(let number): column.hasSuffix("pid") ? "\(number)" : Format.count(number)
        case .number(let digits): digits
        case .text(let text): text
        }
    }
}
