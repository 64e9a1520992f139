internal import MillraceTOML

/// Compares the folds of a pack with the tables that its up.sql has made. Whatever would make a fold fail, or depend on
/// the order in which rows arrive, is an error with its line and the fix.
package struct PackCheck {
    private let pack: PackDefinition
    private let schema: String
    private let tables: [String: CatalogTable]
    private let isNew: Bool

    /// `tables`: of `schema`, by name. `isNew`: they have just been made, so that what older versions of packs may have is
    /// an error too.
    package init(pack: PackDefinition, schema: String, tables: [String: CatalogTable], isNew: Bool) {
        self.pack = pack
        self.schema = schema
        self.tables = tables
        self.isNew = isNew
    }

    /// All that is wrong, in the order of the lines.
    package func errors() -> [PackError] {
        var found = Findings(file: pack.file)
        for fold in pack.folds { check(fold, &found) }
        return found.errors.sorted { $0.line < $1.line }
    }

    private struct Findings {
        let file: String
        var errors: [PackError] = []

        mutating func add(_ code: PackError.Code, _ line: Int, _ message: String) {
            errors.append(PackError(code: code, file: file, line: line, message: message))
        }
    }

    private func check(_ fold: FoldDefinition, _ found: inout Findings) {
        guard let table = table(fold.table, line: fold.line, &found) else { return }
        for unique in table.uniques where isNew && !unique.expressions.contains("tenant_id") {
            found.add(
                .wrongKey, fold.line,
                "the unique index \(unique.name) of \(table.name) has no tenant_id, so that tenants would contend for its "
                    + "values; make it (tenant_id, \(unique.expressions.joined(separator: ", ")))")
        }
        switch fold.kind {
        case .counter(let counter): check(counter, hasSlot: true, table, fold, &found)
        case .top(let counter): check(counter, hasSlot: false, table, fold, &found)
        case .unique(let unique):
            let isChunked = unique.isChunked(table.columns.map(\.name))
            if isChunked { type("chunk", "smallint", in: table, line: fold.line, &found) }
            var expected = keyed(
                unique.bucket, unique.dimensions, more: ["slot"] + (isChunked ? ["chunk"] : []), table, fold, &found)
            expected.append("sketch")
            type("sketch", "bytea", in: table, line: fold.line, &found)
            rest(of: table, filled: expected, line: fold.line, &found)
        case .entity(let entity): check(entity, table, fold, &found)
        case .append(let columns):
            type("tenant_id", "integer", in: table, line: fold.line, &found)
            type("event_at", "timestamp with time zone", in: table, line: fold.line, &found)
            type("event_id", "uuid", in: table, line: fold.line, &found)
            for column in columns { mapped(column, in: table, fold.source, &found) }
            if isNew || Set(table.primaryKey) != Set(AppendKey.narrow) {
                key(AppendKey.columns, of: table, line: fold.line, &found)
            }
            rest(
                of: table, filled: ["tenant_id", "event_at", "event_id"] + columns.map(\.column), line: fold.line,
                &found)
        }
        for cascade in fold.cascades { check(cascade, of: table, &found) }
    }

    private func check(_ cascade: Cascade, of table: CatalogTable, _ found: inout Findings) {
        type("deleted_at", "timestamp with time zone", in: table, line: cascade.line, &found)
        if let column = table.column("deleted_at"), column.isNotNull {
            found.add(
                .wrongType, cascade.line, "\(table.name).deleted_at is NOT NULL, and most rows live; leave it out")
        }
        if let unique = table.uniques.first {
            found.add(
                .impossibleCombination, cascade.line,
                "\(table.name) has the unique index \(unique.name): a row that goes with another would not let go of its "
                    + "value in the order of the events; leave out one of the two")
        }
        guard let parent = pack.folds.first(where: { $0.name == cascade.parent }).flatMap({ tables[$0.table] }) else {
            return
        }
        for link in cascade.links {
            guard let key = parent.column(link.key) else { continue }
            type(link.column, key.type, in: table, line: cascade.line, &found)
        }
    }

    private func check(
        _ counter: FoldKind.Counter, hasSlot: Bool, _ table: CatalogTable, _ fold: FoldDefinition,
        _ found: inout Findings
    ) {
        var filled = keyed(
            counter.bucket, counter.dimensions, more: hasSlot ? ["slot"] : [], table, fold, &found)
        type("n", "bigint", in: table, line: fold.line, &found)
        for sum in counter.sums {
            summed(sum.column, in: table, line: sum.line, &found)
            finite(sum, in: table, &found)
        }
        filled += ["n"] + counter.sums.map(\.column)
        rest(of: table, filled: filled, line: fold.line, &found)
    }

    private func check(
        _ entity: FoldKind.Entity, _ table: CatalogTable, _ fold: FoldDefinition, _ found: inout Findings
    ) {
        type("tenant_id", "integer", in: table, line: fold.line, &found)
        type("event_at", "timestamp with time zone", in: table, line: fold.line, &found)
        type("event_id", "uuid", in: table, line: fold.line, &found)
        type("deleted_at", "timestamp with time zone", in: table, line: fold.line, &found)
        for column in entity.key + entity.columns { mapped(column, in: table, fold.source, &found) }
        key(["tenant_id"] + entity.key.map(\.column), of: table, line: fold.line, &found)
        rest(
            of: table,
            filled: ["tenant_id", "event_at", "event_id", "deleted_at"]
                + (entity.key + entity.columns).map(\.column), line: fold.line, &found)
        let mayBeEmpty = !entity.deletes.isEmpty || !entity.patches.isEmpty
        for name in ["deleted_at"] + (mayBeEmpty ? entity.columns.map(\.column) : []) {
            guard let column = table.column(name), column.isNotNull else { continue }
            found.add(
                .wrongType, entity.columns.first { $0.column == name }?.line ?? fold.line,
                "\(table.name).\(name) is NOT NULL, and a deleted row has no value for it; write "
                    + "CHECK (deleted_at IS NOT NULL OR \(name) IS NOT NULL) instead")
        }
        let counted = entity.countedColumns
        for column in entity.columns where counted.contains(column.column) { finite(column, in: table, &found) }
        for counts in entity.counts { check(counts, of: table, &found) }
    }

    private func check(_ counts: StatusCounts, of entity: CatalogTable, _ found: inout Findings) {
        guard let table = table(counts.table, line: counts.line, &found) else { return }
        type("tenant_id", "integer", in: table, line: counts.line, &found)
        type("slot", "smallint", in: table, line: counts.line, &found)
        type("n", "bigint", in: table, line: counts.line, &found)
        for name in counts.by {
            if let column = entity.column(name) { type(name, column.type, in: table, line: counts.line, &found) }
        }
        if let bucket = counts.bucket {
            type("bucket", "timestamp with time zone", in: table, line: counts.line, &found)
            type(bucket.column, "timestamp with time zone", in: entity, line: counts.line, &found)
        }
        for name in counts.sums {
            summed(name, in: entity, line: counts.line, &found)
            summed(name, in: table, line: counts.line, &found)
        }
        let keys = ["tenant_id"] + counts.by + (counts.bucket == nil ? [] : ["bucket"]) + ["slot"]
        key(keys, of: table, line: counts.line, &found)
        rest(of: table, filled: keys + ["n"] + counts.sums, line: counts.line, &found)
    }

    // MARK: parts

    private func table(_ name: String, line: Int, _ found: inout Findings) -> CatalogTable? {
        if let table = tables[name] { return table }
        let nearest = EditDistance.nearest(to: name, among: tables.keys.sorted()) { $0 }
        let hint = nearest.map { "; the nearest there is \($0)" } ?? ""
        found.add(
            .missingTable, line, "up.sql makes no table \(name) in schema \(schema)\(hint); add CREATE TABLE \(name)")
        return nil
    }

    private func column(
        _ name: String, in table: CatalogTable, line: Int, wanted: String, _ found: inout Findings
    ) -> CatalogTable.Column? {
        if let column = table.column(name) { return column }
        let nearest = EditDistance.nearest(to: name, among: table.columns.map(\.name)) { $0 } ?? ""
        found.add(
            .missingColumn, line,
            "\(table.name) has no column \(name); the nearest is \(nearest); add it to up.sql\(wanted)")
        return nil
    }

    private func type(
        _ name: String, _ type: String, in table: CatalogTable, line: Int, _ found: inout Findings
    ) {
        guard let column = column(name, in: table, line: line, wanted: ": \(name) \(type)", &found), column.type != type
        else { return }
        found.add(.wrongType, line, "\(table.name).\(name) is \(column.type); make it \(type)")
    }

    private func summed(_ name: String, in table: CatalogTable, line: Int, _ found: inout Findings) {
        guard let column = column(name, in: table, line: line, wanted: ": \(name) numeric", &found) else { return }
        switch column.type {
        case "numeric", "bigint", "integer", "smallint": return
        case "double precision", "real":
            found.add(
                .notCommutative, line,
                "\(table.name).\(name) is \(column.type): a sum of it depends on the order of the rows, so the fold "
                    + "isn't commutative; make it numeric")
        default: found.add(.wrongType, line, "\(table.name).\(name) is \(column.type); make it numeric or bigint")
        }
    }

    /// Checks what counters and uniques have in common; returns the columns that they fill. `more`: of the key, `slot` first.
    private func keyed(
        _ bucket: TimeBucket?, _ dimensions: [ColumnMapping], more: [String], _ table: CatalogTable,
        _ fold: FoldDefinition, _ found: inout Findings
    ) -> [String] {
        type("tenant_id", "integer", in: table, line: fold.line, &found)
        if bucket != nil { type("bucket", "timestamp with time zone", in: table, line: fold.line, &found) }
        if more.contains("slot") { type("slot", "smallint", in: table, line: fold.line, &found) }
        for dimension in dimensions {
            mapped(dimension, in: table, fold.source, &found)
            finite(dimension, in: table, &found)
        }
        let keys = ["tenant_id"] + dimensions.map(\.column) + (bucket == nil ? [] : ["bucket"]) + more
        key(keys, of: table, line: fold.line, &found)
        return keys
    }

    private func mapped(
        _ mapping: ColumnMapping, in table: CatalogTable, _ source: FoldSource, _ found: inout Findings
    ) {
        guard let column = column(mapping.column, in: table, line: mapping.line, wanted: "", &found) else { return }
        if column.type == "json" {
            found.add(.wrongType, mapping.line, "\(table.name).\(column.name) is json; make it jsonb")
        }
        if column.fallback == "generated" || column.fallback == "identity" {
            found.add(
                .wrongType, mapping.line,
                "\(table.name).\(column.name) is filled by PostgreSQL (\(column.fallback ?? "")); make it a plain "
                    + "column, or remove it here")
        }
        guard mapping.field.path.isEmpty else { return }
        let fitting: [String]? =
            switch mapping.field.column {
            case "id", "user_id": ["uuid"]
            case "created_at", "received_at": ["timestamp with time zone", "timestamp without time zone", "date"]
            case "tenant_id": ["integer", "bigint", "numeric"]
            case "payload", "metadata": ["jsonb"]
            default: nil
            }
        guard let fitting, !column.isText, !fitting.contains(column.type) else { return }
        found.add(
            .wrongType, mapping.line,
            "\(table.name).\(column.name) is \(column.type), and \(mapping.field) does not fit; make it \(fitting[0])")
    }

    /// The engine parks values of events that are not finite; what is missing in an event has the default.
    private func finite(_ mapping: ColumnMapping, in table: CatalogTable, _ found: inout Findings) {
        guard var fallback = mapping.fallback,
            case .notFinite = ValueRules(of: table.column(mapping.column), isCounted: true).verdict(on: &fallback)
        else { return }
        found.add(
            .notCommutative, mapping.line,
            "the default of \(table.name).\(mapping.column) is \(fallback): it is added up or counted by, and could not "
                + "be taken off again; give a finite one")
    }

    private func key(_ columns: [String], of table: CatalogTable, line: Int, _ found: inout Findings) {
        guard Set(table.primaryKey) != Set(columns) || table.primaryKey.first != "tenant_id" else { return }
        let there = table.primaryKey.isEmpty ? "none" : "(\(table.primaryKey.joined(separator: ", ")))"
        found.add(
            .wrongKey, line,
            "the primary key of \(table.name) is \(there); make it (\(columns.joined(separator: ", "))), tenant_id "
                + "first")
    }

    /// Columns that no fold fills.
    private func rest(of table: CatalogTable, filled: [String], line: Int, _ found: inout Findings) {
        for column in table.columns where !filled.contains(column.name) && column.fallback != "generated" {
            if let fallback = column.fallback {
                guard Self.dependsOnArrival(fallback) else { continue }
                found.add(
                    .notCommutative, line,
                    "\(table.name).\(column.name) has the default \(fallback): it depends on when a row arrives, so "
                        + "the fold isn't commutative; fill it from a field, or remove it")
            } else if column.isNotNull {
                found.add(
                    .missingColumn, line,
                    "\(table.name).\(column.name) is NOT NULL and nothing fills it; add it to the fold, or give it a "
                        + "default in up.sql")
            }
        }
    }

    private static func dependsOnArrival(_ expression: String) -> Bool {
        let text = expression.lowercased()
        let words = [
            "identity", "nextval", "now()", "current_", "localtime", "timestamp()", "random", "uuid", "txid",
            "pg_backend", "timeofday",
        ]
        return words.contains { text.contains($0) } && !text.hasPrefix("'")
    }
}
