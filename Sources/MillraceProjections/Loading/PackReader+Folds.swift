internal import MillraceTOML
internal import TOMLKit

extension PackReader {
    private static let kinds = ["counter", "top", "unique", "entity", "append"]
    private static let common = ["name", "table", "kind", "from"]
    /// Columns that the engine fills itself.
    private static let countedColumns = ["tenant_id", "bucket", "slot", "n", "sketch"]
    private static let entityColumns = ["tenant_id", "event_at", "event_id", "deleted_at"]

    mutating func readFold(_ place: Place, pack: String) -> FoldDefinition? {
        let name = string("name", in: place)
        guard place.table["kind"] != nil else {
            let kinds = Self.kinds.map { "\"\($0)\"" }.joined(separator: ", ")
            report(.missingKey, place.path, "a fold needs kind; add one of \(kinds)")
            return nil
        }
        guard let name, let kind = choice("kind", among: Self.kinds, in: place) else { return nil }
        if !Self.isName(name) {
            report(
                .invalidValue, place.path + ["name"],
                "name is \"\(name)\"; wanted: a lower-case letter, then a-z, 0-9 and _")
        }
        let table = tableName(in: place, named: name, pack: pack)
        let isOverConversations =
            choice("from", among: ["events", "conversations"], in: place) == "conversations"
        let eventsKey = isOverConversations ? [] : ["events"]
        switch kind {
        case "counter", "top": checkKeys(place, Self.common + eventsKey + ["bucket", "by", "sums"])
        case "unique": checkKeys(place, Self.common + eventsKey + ["bucket", "by", "of"])
        case "entity":
            checkKeys(
                place, Self.common + eventsKey + ["deletes", "patches", "key", "columns", "counts", "cascade"])
        default: checkKeys(place, Self.common + eventsKey + ["columns", "cascade"])
        }
        let fields = isOverConversations ? PackFields.conversations : PackFields.events
        let source: FoldSource
        if isOverConversations {
            source = .conversations
        } else {
            let events = patterns("events", in: place)
            if place.table["events"] == nil || (place.table["events"]?.array?.isEmpty ?? false) {
                report(.missingKey, place.path, "a fold over events needs events; add events = [\"*\"] or names")
            }
            source = .events(events)
        }
        let read = readKind(kind, source, fields, place, pack: pack)
        let cascades = cascades(in: place)
        return read.map {
            FoldDefinition(
                name: name, table: table, source: source, kind: $0, cascades: cascades, line: line(of: place.path))
        }
    }

    private mutating func readKind(
        _ kind: String, _ source: FoldSource, _ fields: PackFields, _ place: Place, pack: String
    ) -> FoldKind? {
        switch kind {
        case "counter", "top":
            let by = mappings("by", in: place, fields, reserved: Self.countedColumns)
            let sums = mappings("sums", in: place, fields, reserved: Self.countedColumns + by.map(\.column))
            for sum in sums where sum.field.path.isEmpty {
                report(
                    .invalidValue, place.path + ["sums", sum.column],
                    "sums.\(sum.column) adds up \(sum.field), which is no number; wanted: a field of "
                        + "\(fields.document), like \"\(fields.document).total\"")
            }
            if kind == "top", by.isEmpty {
                report(.missingKey, place.path, "a top needs by: what it ranks; add by = { user_id = \"user_id\" }")
            }
            let counter = FoldKind.Counter(bucket: bucket(in: place), dimensions: by, sums: sums)
            return kind == "top" ? .top(counter) : .counter(counter)
        case "unique":
            let by = mappings("by", in: place, fields, reserved: Self.countedColumns)
            let of = string("of", in: place).flatMap { field($0, at: place.path + ["of"], fields) }
            return of.map { .unique(FoldKind.Unique(bucket: bucket(in: place), dimensions: by, of: $0)) }
        case "entity":
            return entity(source, fields, place, pack: pack)
        default:
            let columns = mappings("columns", in: place, fields, reserved: Self.entityColumns)
            return .append(columns: columns)
        }
    }

    private mutating func entity(
        _ source: FoldSource, _ fields: PackFields, _ place: Place, pack: String
    ) -> FoldKind? {
        let deletes = patterns("deletes", in: place)
        let patches = patterns("patches", in: place)
        switch source {
        case .conversations:
            for name in ["deletes", "patches"] where place.table[name] != nil {
                report(
                    .impossibleCombination, place.path + [name],
                    "\(name) names event types, and conversations have none; remove it")
            }
        case .events(let saves):
            for delete in deletes {
                guard let save = saves.first(where: { $0.overlaps(delete) }) else { continue }
                report(
                    .impossibleCombination, place.path + ["deletes"],
                    "deletes and events both take \(delete == save ? "\(delete)" : "\(delete) (\(save))"): which one "
                        + "comes last would depend on nothing; name each type in one of them")
            }
        }
        for patch in patches {
            let others = [("deletes", deletes), ("events", source.patterns)]
            guard let other = others.first(where: { $0.1.contains { $0.overlaps(patch) } }) else { continue }
            report(
                .impossibleCombination, place.path + ["patches"],
                "patches and \(other.0) both take \(patch): an event has all columns, or some of them, or none; name "
                    + "each type in one of them")
        }
        let key = mappings("key", in: place, fields, reserved: Self.entityColumns)
        if key.isEmpty {
            report(.missingKey, place.path, "an entity needs key; add key = { id = \"\(fields.document).id\" }")
        }
        for column in key where column.fallback != nil {
            report(
                .invalidValue, place.path + ["key", column.column],
                "key.\(column.column) has a default: entities without a key would become one; remove it")
        }
        let columns = mappings(
            "columns", in: place, fields, reserved: Self.entityColumns + key.map(\.column))
        let filled = (key + columns).map(\.column)
        let counts = statusCounts(in: place, columns: filled, pack: pack)
        return .entity(FoldKind.Entity(deletes: deletes, patches: patches, key: key, columns: columns, counts: counts))
    }

    private mutating func statusCounts(in place: Place, columns: [String], pack: String) -> [StatusCounts] {
        guard let value = place.table["counts"] else { return [] }
        guard let array = value.array else {
            report(.invalidValue, place.path + ["counts"], "counts is no list of tables; write [[fold.counts]]")
            return []
        }
        var all: [StatusCounts] = []
        for (index, item) in array.enumerated() {
            let path = place.path + ["counts", "#\(index)"]
            guard let table = item.table else {
                report(.invalidValue, path, "counts is no list of tables; write [[fold.counts]]")
                return []
            }
            let counts = Place(table: table, path: path, what: "counts")
            checkKeys(counts, ["name", "table", "by", "bucket", "sums"])
            guard let name = string("name", in: counts) else { continue }
            if !Self.isName(name) {
                report(
                    .invalidValue, path + ["name"],
                    "name is \"\(name)\"; wanted: a lower-case letter, then a-z, 0-9 and _")
            }
            var bucket: StatusCounts.Bucket?
            if let table = self.table("bucket", in: counts) {
                checkKeys(table, ["column", "unit"])
                let unit = choice("unit", among: TimeBucket.allCases.map(\.rawValue), in: table)
                if let column = string("column", in: table), let unit = unit.flatMap(TimeBucket.init) {
                    bucket = StatusCounts.Bucket(column: column, unit: unit)
                } else if table.table["unit"] == nil {
                    report(.missingKey, path + ["bucket"], "bucket needs unit; add unit = \"day\"")
                }
            }
            let by = strings("by", in: counts)
            let sums = strings("sums", in: counts)
            for (key, name) in by.map({ ("by", $0) }) + sums.map({ ("sums", $0) })
                + (bucket.map { [("bucket", $0.column)] } ?? [])
            where !columns.contains(name) {
                let nearest = EditDistance.nearest(to: name, among: columns) { $0 } ?? ""
                report(
                    .unknownField, path + [key],
                    "\(key) names \(name), which is no column of this fold; the nearest is \(nearest)")
            }
            for name in Self.countedColumns + by where sums.contains(name) || Self.countedColumns.contains(name) {
                guard by.contains(name) || sums.contains(name) else { continue }
                report(
                    .impossibleCombination, path,
                    "the column \(name) of counts would be there twice; rename the entity's column")
            }
            all.append(
                StatusCounts(
                    name: name, table: tableName(in: counts, named: name, pack: pack), by: by, bucket: bucket,
                    sums: sums, line: line(of: path)))
        }
        return all
    }

    // MARK: parts of a fold

    private mutating func tableName(in place: Place, named name: String, pack: String) -> String {
        let table = optionalString("table", in: place) ?? "\(pack)_\(name)"
        if !Self.isName(table) {
            report(
                .invalidValue, place.path + ["table"],
                "the table \(table) is no name of at most 63 lower-case letters, digits and _; shorten or rename it")
        } else if !table.hasPrefix("\(pack)_") {
            report(
                .invalidValue, place.path + ["table"],
                "the table \(table) does not start with \(pack)_; packs share a schema: name it \(pack)_\(table)")
        }
        return table
    }

    private mutating func bucket(in place: Place) -> TimeBucket? {
        choice("bucket", among: TimeBucket.allCases.map(\.rawValue) + ["none"], in: place).flatMap(TimeBucket.init)
    }

    private mutating func patterns(_ key: String, in place: Place) -> [EventTypePattern] {
        strings(key, in: place).compactMap { text in
            if let pattern = EventTypePattern(text) { return pattern }
            report(
                .invalidValue, place.path + [key],
                "\(key) has \"\(text)\"; wanted: a type as it is, a prefix like \"order.*\", or \"*\" alone")
            return nil
        }
    }

    private mutating func mappings(
        _ key: String, in place: Place, _ fields: PackFields, reserved: [String]
    ) -> [ColumnMapping] {
        guard let table = table(key, in: place) else { return [] }
        var mappings: [ColumnMapping] = []
        for column in table.table.keys {
            guard let value = table.table[column] else { continue }
            let path = table.path + [column]
            if !Self.isName(column) {
                report(
                    .invalidValue, path,
                    "\(key) has the column \"\(column)\"; wanted: a lower-case letter, then a-z, 0-9 and _")
            } else if reserved.contains(column) {
                report(
                    .impossibleCombination, path,
                    "\(key) has the column \(column), which is filled already; remove it, or rename the column")
            }
            var fallback: String?
            var name = value.string
            if let details = value.table {
                checkKeys(Place(table: details, path: path, what: "a column"), ["field", "default"])
                name = details["field"]?.string
                if let value = details["default"] {
                    fallback = Self.text(value)
                    if fallback == nil {
                        report(.invalidValue, path, "the default of \(column) is \(Self.found(value)); wanted: a value")
                    }
                }
            }
            guard let name else {
                report(
                    .invalidValue, path,
                    "\(column) is no field; wanted: \"\(fields.document).\(column)\", or "
                        + "{ field = \"\(fields.document).\(column)\", default = \"…\" }")
                continue
            }
            if let field = field(name, at: path, fields) {
                mappings.append(
                    ColumnMapping(column: column, field: field, fallback: fallback, line: line(of: path)))
            }
        }
        return mappings
    }

    private mutating func field(_ text: String, at path: [String], _ fields: PackFields) -> FieldPath? {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
        guard fields.names.contains(parts[0]) else {
            let nearest = EditDistance.nearest(to: parts[0], among: fields.names) { $0 } ?? ""
            let all = fields.names.joined(separator: ", ")
            report(
                .unknownField, path,
                "the field \(text) is unknown; the nearest is \(([nearest] + parts.dropFirst()).joined(separator: ".")), "
                    + "and there are \(all) and \(fields.document).…")
            return nil
        }
        if parts.count > 1, parts[0] != fields.document || parts.contains("") {
            report(
                .unknownField, path,
                "the field \(text) is no path; wanted: a field as it is, or names behind \(fields.document) and dots")
            return nil
        }
        return FieldPath(column: parts[0], path: Array(parts.dropFirst()))
    }
}

/// What a fold may read of a row.
struct PackFields {
    var names: [String]
    /// The jsonb column, whose members may be named after a dot.
    var document: String

    static let events = PackFields(
        names: ["id", "tenant_id", "event_type", "user_id", "created_at", "received_at", "payload"],
        document: "payload")

    static let conversations = PackFields(
        names: [
            "id", "tenant_id", "conversation_id", "user_id", "question", "response", "source", "created_at",
            "received_at", "metadata",
        ], document: "metadata")
}
