import MillraceProjections

/// Counts a pack's projections again from the rows, by plain SQL, and compares: what Millrace folds is not asked.
struct ProjectionRecount {
    let pack: PackDefinition
    let auditor: Auditor

    /// What differs, a sentence for each table; empty when all agree.
    func differences() throws -> [String] {
        var found: [String] = []
        for fold in pack.folds {
            switch fold.kind {
            case .counter(let counter):
                found += try compare(
                    fold, should: counted(fold, counter), columns: countedColumns(counter), isSlotted: true)
            case .top(let counter):
                found += try compare(
                    fold, should: counted(fold, counter), columns: countedColumns(counter), isSlotted: false)
            case .unique(let unique): found += try compareUniques(fold, unique)
            case .entity(let entity):
                let contest = try UniqueValueRecount(fold: fold, entity: entity, auditor: auditor)
                if let contest { found += try contest.differences(self) }
                found += try compareEntities(fold, entity, isContended: contest != nil)
                for counts in entity.counts { found += try compareCounts(of: fold, counts) }
            case .append(let columns): found += try compareAppended(fold, columns)
            }
        }
        return found
    }

    // MARK: - Counters

    private func countedColumns(_ counter: FoldKind.Counter) -> (keys: [String], values: [String]) {
        (
            ["tenant_id"] + (counter.bucket == nil ? [] : ["bucket"]) + counter.dimensions.map(\.column),
            ["n"] + counter.sums.map(\.column)
        )
    }

    private func counted(_ fold: FoldDefinition, _ counter: FoldKind.Counter) throws -> String {
        var columns = ["tenant_id"]
        if let bucket = counter.bucket { columns.append("\(Self.bucket(bucket, "created_at")) AS bucket") }
        let conditions = try counter.dimensions.compactMap { try condition($0, fold) }
        columns += try counter.dimensions.map { "\(try value($0, fold)) AS \($0.column)" }
        let sums = try counter.sums.map { "sum(coalesce(\(try value($0, fold)), 0)) AS \($0.column)" }
        return """
            SELECT \((columns + ["count(*) AS n"] + sums).joined(separator: ", "))
            FROM \(rows(fold))
            WHERE \(([filter(fold.source)] + conditions).joined(separator: " AND "))
            GROUP BY \((1...columns.count).map(String.init).joined(separator: ", "))
            """
    }

    private func compare(
        _ fold: FoldDefinition, should: String, columns: (keys: [String], values: [String]), isSlotted: Bool
    ) throws -> [String] {
        let keys = columns.keys.joined(separator: ", ")
        let sums = columns.values.map { "sum(\($0)) AS \($0)" }.joined(separator: ", ")
        let found =
            isSlotted
            ? "SELECT \(keys), \(sums) FROM projections.\(fold.table) GROUP BY \(keys)"
            : "SELECT \(keys), \(columns.values.joined(separator: ", ")) FROM projections.\(fold.table)"
        return try difference(fold.table, should: should, found: found, among: columns.keys + columns.values)
    }

    // MARK: - Uniques

    /// Few enough in these streams for a sketch to be exact.
    private func compareUniques(_ fold: FoldDefinition, _ unique: FoldKind.Unique) throws -> [String] {
        var keys = ["tenant_id"]
        if let bucket = unique.bucket { keys.append("\(Self.bucket(bucket, "created_at"))") }
        keys += try unique.dimensions.map { try value($0, fold) }
        let of = ColumnMapping(column: "of", field: unique.of)
        let conditions =
            try [filter(fold.source), "\(raw(of, fold)) IS NOT NULL"]
            + unique.dimensions.compactMap { try condition($0, fold) }
        let should = try auditor.strings(
            """
            SELECT concat_ws('|', \(keys.joined(separator: ", ")), count(DISTINCT \(raw(of, fold))))
            FROM \(rows(fold))
            WHERE \(conditions.joined(separator: " AND "))
            GROUP BY \(keys.joined(separator: ", "))
            ORDER BY 1
            """)
        let names = ["tenant_id"] + (unique.bucket == nil ? [] : ["bucket"]) + unique.dimensions.map(\.column)
        let sketches = try auditor.strings(
            """
            SELECT concat_ws('|', \(names.joined(separator: ", ")), chunk || ':' || encode(sketch, 'hex'))
            FROM projections.\(fold.table)
            """)
        var merged: [Substring: HyperLogLog] = [:]
        for line in sketches {
            guard let bar = line.lastIndex(of: "|"), let colon = line.lastIndex(of: ":"),
                let chunk = Int(line[line.index(after: bar)..<colon]),
                Self.bytes(line[line.index(after: colon)...]).withUnsafeBytes({
                    merged[line[..<bar], default: HyperLogLog()].merge(row: $0, chunk: chunk)
                })
            else { return ["\(fold.table): no sketch in \(line)"] }
        }
        let found = merged.map { "\($0.key)|\(Int($0.value.estimate.rounded()))" }.sorted()
        guard found != should.sorted() else { return [] }
        let missing = Set(should).subtracting(found).sorted().prefix(3)
        let extra = Set(found).subtracting(should).sorted().prefix(3)
        return ["\(fold.table): should have \(missing), has \(extra)"]
    }

    private static func bytes(_ hexadecimal: Substring) -> [UInt8] {
        let digits = Array(hexadecimal.utf8)
        return stride(from: 0, to: digits.count - 1, by: 2).map { index in
            UInt8(String(decoding: digits[index...index + 1], as: UTF8.self), radix: 16) ?? 0
        }
    }

    // MARK: - Entities

    /// `isContended`: of the events of each key, the row is of the one that it says itself.
    private func compareEntities(
        _ fold: FoldDefinition, _ entity: FoldKind.Entity, isContended: Bool
    ) throws -> [String] {
        let isDelete = entity.deletes.isEmpty ? "false" : Self.filter(entity.deletes)
        let keys = try entity.key.map { "\(try value($0, fold)) AS \($0.column)" }
        let columns = try entity.columns.map {
            "CASE WHEN NOT (\(isDelete)) THEN \(try value($0, fold)) END AS \($0.column)"
        }
        let order = (["tenant_id"] + entity.key.map(\.column)).joined(separator: ", ")
        let present = try entity.key.map { "\(try raw($0, fold)) IS NOT NULL" }
        let latest = """
            SELECT DISTINCT ON (\(order)) *
            FROM (
                SELECT tenant_id, \((keys + columns).joined(separator: ", ")),
                    created_at AS event_at, id AS event_id,
                    CASE WHEN \(isDelete) THEN created_at END AS deleted_at
                FROM \(rows(fold))
                WHERE (\(filter(fold.source)) OR \(isDelete)) AND \(present.joined(separator: " AND "))
                    AND \(isNotParked(fold))
                    \(isContended ? "AND (created_at, id, tenant_id) IN (SELECT event_at, event_id, tenant_id FROM projections.\(fold.table))" : "")
            ) AS states
            ORDER BY \(order), event_at DESC, event_id DESC
            """
        let should = try cascaded(latest, fold)
        let all =
            ["tenant_id"] + entity.key.map(\.column) + entity.columns.map(\.column)
            + ["event_at", "event_id", "deleted_at"]
        let found = "SELECT \(all.joined(separator: ", ")) FROM projections.\(fold.table)"
        return try difference(fold.table, should: should, found: found, among: all)
    }

    private func compareCounts(of fold: FoldDefinition, _ counts: StatusCounts) throws -> [String] {
        var keys = ["tenant_id"]
        if let bucket = counts.bucket { keys.append("\(Self.bucket(bucket.unit, bucket.column)) AS bucket") }
        keys += counts.by
        let sums = counts.sums.map { "sum(coalesce(\($0), 0)) AS \($0)" }
        let should = """
            SELECT \((keys + ["count(*) AS n"] + sums).joined(separator: ", "))
            FROM projections.\(fold.table)
            WHERE deleted_at IS NULL
            GROUP BY \((1...keys.count).map(String.init).joined(separator: ", "))
            """
        let names = ["tenant_id"] + (counts.bucket == nil ? [] : ["bucket"]) + counts.by
        let values = ["n"] + counts.sums
        // A row that all have left may stay, with nothing in it.
        let found = """
            SELECT \(names.joined(separator: ", ")), \(values.map { "sum(\($0)) AS \($0)" }.joined(separator: ", "))
            FROM projections.\(counts.table)
            GROUP BY \(names.joined(separator: ", "))
            HAVING sum(n) <> 0
            """
        return try difference(counts.table, should: should, found: found, among: names + values)
    }

    private func compareAppended(_ fold: FoldDefinition, _ columns: [ColumnMapping]) throws -> [String] {
        let values = try columns.map { "\(try value($0, fold)) AS \($0.column)" }
        let columnsToo = fold.cascades.isEmpty ? [] : ["NULL::timestamptz AS deleted_at"]
        let should = try cascaded(
            """
            SELECT \((["tenant_id", "id AS event_id", "created_at AS event_at"] + values + columnsToo).joined(separator: ", "))
            FROM \(rows(fold))
            WHERE \(filter(fold.source)) AND \(isNotParked(fold))
            """, fold)
        let all =
            ["tenant_id", "event_id", "event_at"] + columns.map(\.column)
            + (fold.cascades.isEmpty ? [] : ["deleted_at"])
        let found = "SELECT \(all.joined(separator: ", ")) FROM projections.\(fold.table)"
        return try difference(fold.table, should: should, found: found, among: all)
    }

    // MARK: - SQL

    private func difference(
        _ table: String, should: String, found: String, among columns: [String]
    ) throws -> [String] {
        let values = columns.map { "coalesce(\($0)::text, 'NULL')" }.joined(separator: ", ")
        let text = "SELECT concat_ws('|', \(values)) FROM"
        let missing = try auditor.strings("(\(text) (\(should)) AS a) EXCEPT (\(text) (\(found)) AS b) LIMIT 3")
        let extra = try auditor.strings("(\(text) (\(found)) AS a) EXCEPT (\(text) (\(should)) AS b) LIMIT 3")
        return missing.isEmpty && extra.isEmpty ? [] : ["\(table): should have \(missing), has \(extra)"]
    }

    func isNotParked(_ fold: FoldDefinition) -> String {
        """
        (created_at, id, tenant_id) NOT IN (
            SELECT event_at, event_id, tenant_id FROM projections.parked
            WHERE pack = '\(pack.name)' AND fold = '\(fold.name)'
        )
        """
    }

    func rows(_ fold: FoldDefinition) -> String {
        fold.source == .conversations ? "public.conversations" : "public.analytics_events"
    }

    func filter(_ source: FoldSource) -> String {
        switch source {
        case .conversations: "true"
        case .events(let patterns): Self.filter(patterns)
        }
    }

    static func filter(_ patterns: [EventTypePattern]) -> String {
        let conditions = patterns.map { pattern in
            switch pattern {
            case .any: "true"
            case .prefix(let prefix): "starts_with(event_type, '\(prefix)')"
            case .exactly(let type): "event_type = '\(type)'"
            }
        }
        return "(\(conditions.joined(separator: " OR ")))"
    }

    private static func bucket(_ unit: TimeBucket, _ column: String) -> String {
        "date_trunc('\(unit.rawValue)', \(column), 'UTC')"
    }

    /// The field as text or jsonb, before the column's type; NULL when it is missing or null.
    func raw(_ mapping: ColumnMapping, _ fold: FoldDefinition) throws -> String {
        let field = mapping.field
        guard !field.path.isEmpty else { return field.column }
        let path = "'{\(field.path.joined(separator: ","))}'"
        return try type(of: mapping.column, fold) == "jsonb"
            ? "nullif(\(field.column) #> \(path), 'null')" : "(\(field.column) #>> \(path))"
    }

    func value(_ mapping: ColumnMapping, _ fold: FoldDefinition) throws -> String {
        let type = try type(of: mapping.column, fold)
        let value = "(\(try raw(mapping, fold)))::\(type)"
        return if let fallback = mapping.fallback {
            "coalesce(\(value), '\(fallback)'::\(type))"
        } else if isDimension(mapping, fold), type == "text" {
            "coalesce(\(value), '')"
        } else {
            value
        }
    }

    /// A dimension that is no text and is missing: the row does not count.
    private func condition(_ mapping: ColumnMapping, _ fold: FoldDefinition) throws -> String? {
        guard mapping.fallback == nil, try type(of: mapping.column, fold) != "text" else { return nil }
        return "\(try raw(mapping, fold)) IS NOT NULL"
    }

    private func isDimension(_ mapping: ColumnMapping, _ fold: FoldDefinition) -> Bool {
        switch fold.kind {
        case .counter(let counter), .top(let counter): counter.dimensions.contains(mapping)
        case .unique(let unique): unique.dimensions.contains(mapping)
        case .entity, .append: false
        }
    }

    private func type(of column: String, _ fold: FoldDefinition) throws -> String {
        try auditor.strings(
            """
            SELECT format_type(atttypid, atttypmod)
            FROM pg_attribute
            WHERE attrelid = 'projections.\(fold.table)'::regclass AND attname = '\(column)'
            """
        ).first ?? "text"
    }
}
