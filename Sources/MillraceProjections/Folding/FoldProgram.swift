package import MillracePostgres

/// A fold made ready: what each row is turned into, and the statements that put tuples into the table.
struct FoldProgram {
    let fold: FoldDefinition
    /// The pack's name.
    let pack: String
    /// With its schema, quoted.
    let table: String
    let columns: [FoldColumn]
    /// The first columns: the key without slot.
    let keyCount: Int
    /// Of a unique: what is distinct, as a step.
    let distinct: FoldStep?
    /// Puts tuples in; of a unique `sketches` do.
    private(set) var statement = ""
    /// Of a unique.
    private(set) var sketches: SketchStatements?
    /// Of an entity whose rows depend on more than its last event.
    let history: EntityHistory?
    /// Of a unique: whether its table has the sketches in chunks.
    let isChunked: Bool

    /// `slot`: 0 ... 15, of the session. `output`: gives the number of the extractor's output for a path; `wantsJSON` of a
    /// jsonb column.
    init(
        _ fold: FoldDefinition, of target: FoldTarget, slot: Int,
        output: @escaping (_ path: [String], _ wantsJSON: Bool) -> Int
    ) {
        self.fold = fold
        pack = target.pack.name
        table = "\"\(target.schema)\".\"\(fold.table)\""
        let catalog = target.tables[fold.table]
        let made = FoldColumns(of: fold, in: catalog, output: output)
        columns = made.columns
        keyCount = made.keyCount
        history = EntityHistory(of: fold, columns: columns, keyCount: keyCount, target: target)
        if case .unique(let unique) = fold.kind {
            distinct = made.step(unique.of, isRequired: true)
            isChunked = catalog.map { unique.isChunked($0.columns.map(\.name)) } ?? true
        } else {
            distinct = nil
            isChunked = false
        }
        switch fold.kind {
        case .counter: statement = counterStatement(slot: slot)
        case .top: statement = counterStatement(slot: nil)
        case .entity: statement = entityStatement()
        case .append: statement = appendStatement(key: catalog?.primaryKey ?? AppendKey.columns)
        case .unique: sketches = SketchStatements(table: table, keys: columns, slot: slot, isChunked: isChunked)
        }
    }

    /// Whether it looks into payload or metadata.
    var readsDocument: Bool {
        columns.contains { $0.step.source == .path } || distinct?.source == .path
    }

    /// Of an entity: answers `projections.parked.entity` of keys (the key's arrays).
    var identity: String {
        let entity = HistorySQL.entity(columns[..<keyCount].map(\.expression))
        return "SELECT (\(entity))::text FROM \(Array(columns[..<keyCount]).unnested())"
    }

    /// Of an entity: deletes what is parked, refused for good, of entities (the key's arrays, then created_at and id of an
    /// event each) whose row is made of that event, when it is newer.
    func clearing(versionID: Int32) -> String {
        let keys = Array(columns[..<keyCount])
        return """
            DELETE FROM projections.parked AS p
            USING \(keys.unnested([("given_at", .timestamptz), ("given_id", .uuid)]))
            JOIN \(table) AS t ON \(keys.map { "t.\($0.quotedName) = \($0.expression)" }.joined(separator: " AND "))
            WHERE p.version_id = \(versionID) AND p.fold = '\(fold.name)' AND \(ParkedEvent.isFinal)
                AND p.entity = \(HistorySQL.entity(keys.map { "t.\($0.quotedName)" }))
                AND t.event_id = k.given_id AND (p.event_at, p.event_id) < (k.given_at, k.given_id)
            """
    }

    /// A column as messages name it.
    func label(of column: Int) -> String {
        let (name, field) = (columns[column].name, columns[column].field)
        return field == name ? name : "\(name) (\(field))"
    }

    var bucket: TimeBucket? {
        switch fold.kind {
        case .counter(let counter), .top(let counter): counter.bucket
        case .unique(let unique): unique.bucket
        case .entity, .append: nil
        }
    }

    // MARK: statements; $1, $2 … are the columns' arrays

    private var names: String { columns.ofTable.map(\.quotedName).joined(separator: ", ") }
    private var keyNames: String { columns[..<keyCount].map(\.quotedName).joined(separator: ", ") }
    private var keyExpressions: [String] { columns[..<keyCount].map(\.expression) }
    private var keyNumbers: String { (1...keyCount).map(String.init).joined(separator: ", ") }

    /// Adds counts and sums: the columns' arrays, then `n` as int8[]. `slot`: nil for a top.
    private func counterStatement(slot: Int?) -> String {
        let sums = columns[keyCount...].map { column in
            (name: column.quotedName, expression: "coalesce(sum(\(column.expression) * k.n), 0)")
        }
        let counted = [(name: "n", expression: "sum(k.n)::bigint")] + sums
        let slotName = slot == nil ? "" : ", slot"
        return """
            INSERT INTO \(table) AS t (\(keyNames)\(slotName), \(counted.map(\.name).joined(separator: ", ")))
            SELECT \(keyExpressions.joined(separator: ", "))\(slot.map { ", \($0)" } ?? ""), \
            \(counted.map(\.expression).joined(separator: ", "))
            FROM \(columns.unnested([("n", .int8)]))
            GROUP BY \(keyNumbers)
            ORDER BY \(keyNumbers)
            ON CONFLICT (\(keyNames)\(slotName)) DO UPDATE
            SET \(counted.map { "\($0.name) = t.\($0.name) + EXCLUDED.\($0.name)" }.joined(separator: ", "))
            """
    }

    /// Puts each key's last writer in where it is later than the row that is there.
    private func entityStatement() -> String {
        let set = columns.ofTable[keyCount...].map { "\($0.quotedName) = EXCLUDED.\($0.quotedName)" }
        return """
            INSERT INTO \(table) AS t (\(names))
            SELECT DISTINCT ON (\(keyNumbers)) \(columns.ofTable.map(\.expression).joined(separator: ", "))
            FROM \(columns.unnested())
            ORDER BY \(keyNumbers), k.c\(keyCount) DESC, k.c\(keyCount + 1) DESC
            ON CONFLICT (\(keyNames)) DO UPDATE
            SET \(set.joined(separator: ", "))
            WHERE (t.event_at, t.event_id) < (EXCLUDED.event_at, EXCLUDED.event_id)
            """
    }

    private func appendStatement(key: [String]) -> String {
        """
        INSERT INTO \(table) (\(names))
        SELECT \(columns.map(\.expression).joined(separator: ", "))
        FROM \(columns.unnested())
        ORDER BY \(keyNumbers)
        ON CONFLICT (\(key.joined(separator: ", "))) DO NOTHING
        """
    }
}

extension FoldSource {
    var table: PartitionedTable {
        switch self {
        case .conversations: .conversations
        case .events: .analyticsEvents
        }
    }
}

/// A version of a pack as rows are folded into it: where its tables are, and of what types their columns.
package final class FoldTarget: Sendable {
    /// `projections.versions.id`.
    package let versionID: Int32
    package let schema: String
    package let pack: PackDefinition
    /// What `projections.parked.version_id` is of events that its tables refuse: a recount keeps its own apart.
    package let parkedID: Int32
    /// By name: those of the schema whose names start with the pack's.
    package let tables: [String: CatalogTable]

    package init(
        versionID: Int32, parkedID: Int32? = nil, schema: String, pack: PackDefinition, tables: [String: CatalogTable]
    ) {
        self.versionID = versionID
        self.parkedID = parkedID ?? versionID
        self.schema = schema
        self.pack = pack
        self.tables = tables
    }

    /// Reads the catalog, and checks that the tables are those that the folds want. Blocks. Throws `PackErrors`, or what
    /// the connection throws. `isNew`: the tables have just been made, and are not those of an older Millrace.
    package static func load(
        versionID: Int32, parkedID: Int32? = nil, schema: String, pack: PackDefinition, isNew: Bool = false,
        on connection: PostgresConnection
    ) throws -> FoldTarget {
        let tables = try CatalogTable.read(schema: schema, prefix: pack.name + "_", on: connection)
        let errors = PackCheck(pack: pack, schema: schema, tables: tables, isNew: isNew).errors()
        guard errors.isEmpty else { throw PackErrors(errors: errors) }
        return FoldTarget(versionID: versionID, parkedID: parkedID, schema: schema, pack: pack, tables: tables)
    }
}
