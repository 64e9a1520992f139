/// Primary keys of the table of an append.
enum AppendKey {
    /// One row an event: an id at two times is two events.
    static let columns = ["tenant_id", "event_at", "event_id"]
    /// Of packs that were made before: of the events with one id it keeps the one that came first.
    static let narrow = ["tenant_id", "event_id"]

    /// What is wrong with tables that have the narrow key, and how to mend it.
    static func advice(on tables: [String], of pack: String) -> (message: String, fix: String)? {
        guard !tables.isEmpty else { return nil }
        return (
            "\(tables.joined(separator: ", ")) keeps one of two events with the same id and different times: its primary key "
                + "is (\(narrow.joined(separator: ", ")))",
            "Make it (\(columns.joined(separator: ", "))) in the pack's up.sql, raise `version` in its pack.toml, and run "
                + "`millrace projections rebuild \(pack)`."
        )
    }
}

extension FoldTarget {
    /// What its pack should change although its tables are folded into, and how; nil: nothing.
    package var advice: (message: String, fix: String)? {
        let narrow = pack.folds.filter { fold in
            guard case .append = fold.kind else { return false }
            return Set(tables[fold.table]?.primaryKey ?? []) == Set(AppendKey.narrow)
        }
        return AppendKey.advice(on: narrow.map(\.table), of: pack.name)
    }
}
