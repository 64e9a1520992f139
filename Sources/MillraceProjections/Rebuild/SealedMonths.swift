internal import MillraceEvent
package import MillracePostgres

/// The months that are in the live projections and whose rows are gone: retired, so that they can't be counted again.
/// Their rows are taken over into a version that is built.
package struct SealedMonths {
    private let pack: PackDefinition
    private let connection: PostgresConnection

    package init(pack: PackDefinition, connection: PostgresConnection) {
        self.pack = pack
        self.connection = connection
    }

    /// Of each table of events, the sealed months as `2026-10`; empty ones are left out.
    func find(timeout: Duration) throws -> [PartitionedTable: [String]] {
        var sealed: [PartitionedTable: Set<String>] = [:]
        var attached: [PartitionedTable: Set<PartitionMonth>] = [:]
        for table in Set(pack.folds.map(\.rowsTable)) {
            attached[table] = try Partitions(connection: connection).months(of: table)
        }
        for fold in pack.folds {
            guard let time = Self.time(of: fold),
                try columns(of: fold.table, in: PackVersion.liveSchema)[time] != nil
            else { continue }
            let rows = try connection.execute(
                """
                SELECT DISTINCT to_char(\(time) AT TIME ZONE 'UTC', 'YYYY-MM')
                FROM \(PackVersion.liveSchema).\(fold.table) AS row
                WHERE \(time) IS NOT NULL\(Self.exception(fold, attached[fold.rowsTable] ?? []))
                """, timeout: timeout)
            sealed[fold.rowsTable, default: []].formUnion((0..<rows.rowCount).compactMap { rows.string($0, 0) })
        }
        for table in sealed.keys { sealed[table]?.subtract((attached[table] ?? []).map(Self.text)) }
        return sealed.compactMapValues { $0.isEmpty ? nil : $0.sorted() }
    }

    /// The sealed months of all tables, as `2026-10`. Blocks.
    package func all() throws -> [String] {
        Set(try find(timeout: .seconds(600)).values.joined()).sorted()
    }

    /// Throws `sealedMonths` when a rebuild would: a fold's rows of sealed months can't be told apart. Blocks.
    package func check() throws {
        let sealed = try find(timeout: .seconds(600))
        for fold in pack.folds { _ = try sealedTime(of: fold, in: sealed) }
    }

    /// Copies the live rows of sealed months into the version being built, in its transaction. Throws `sealedMonths` for
    /// a fold whose rows don't say which month they are of.
    ///
    /// - Returns: the months.
    func takeOver(timeout: Duration) throws -> [String] {
        let sealed = try find(timeout: timeout)
        for fold in pack.folds {
            guard let months = sealed[fold.rowsTable], let time = try sealedTime(of: fold, in: sealed) else { continue }
            let live = try columns(of: fold.table, in: PackVersion.liveSchema)
            if live.isEmpty { continue }
            try copy(fold, live, time, months, timeout: timeout)
        }
        return Set(sealed.values.joined()).sorted()
    }

    /// The column that tells rows of sealed months; nil when the fold has none of these.
    private func sealedTime(of fold: FoldDefinition, in sealed: [PartitionedTable: [String]]) throws -> String? {
        guard let months = sealed[fold.rowsTable] else { return nil }
        if let time = Self.bucket(of: fold) { return time }
        throw refusal(months, "fold \(fold.name) has no bucket, so its rows of these months can't be told apart")
    }

    private func copy(
        _ fold: FoldDefinition, _ live: [String: Column], _ time: String, _ months: [String], timeout: Duration
    ) throws {
        let schema = PackVersion.nextSchema(of: pack.name)
        var next = try columns(of: fold.table, in: schema)
        var isCut = false
        if case .unique(let unique) = fold.kind, unique.isChunked(next.keys), !unique.isChunked(live.keys) {
            // Whole sketches are cut.
            isCut = next.removeValue(forKey: "chunk") != nil
        }
        guard live.mapValues(\.type) == next.mapValues(\.type) else {
            throw refusal(
                months, "the columns of \(fold.table) change, so its rows of these months can't be taken over")
        }
        let names = next.keys.sorted()
        let values = names.map { name in
            next[name].map { $0.isOwn ? "o.\"\(name)\"::text::\($0.qualified)" : "o.\"\(name)\"" } ?? "NULL"
        }
        if isCut {
            return try SketchCarryOver(connection: connection, timeout: timeout).copy(
                from: "\(PackVersion.liveSchema).\(fold.table)", to: "\(schema).\(fold.table)",
                columns: zip(names, values).filter { $0.0 != "sketch" }.map { ("\"\($0)\"", $1) },
                where: Self.condition(time, months))
        }
        try connection.execute(
            """
            INSERT INTO \(schema).\(fold.table) (\(names.map { "\"\($0)\"" }.joined(separator: ", ")))
            SELECT \(values.joined(separator: ", "))
            FROM \(PackVersion.liveSchema).\(fold.table) AS o
            WHERE \(Self.condition(time, months))
            """, timeout: timeout)
    }

    private func refusal(_ months: [String], _ reason: String) -> ProjectionsError {
        ProjectionsError(
            .sealedMonths, pack: pack.name, "\(months.joined(separator: ", ")) are retired, and \(reason)",
            hint: "Restore the months first; the live version stays as it is.")
    }

    /// Whether a row is of one of `months`.
    static func condition(_ time: String, _ months: [String]) -> String {
        "to_char(\(time) AT TIME ZONE 'UTC', 'YYYY-MM') IN (\(months.map { "'\($0)'" }.joined(separator: ", ")))"
    }

    /// The column that tells a row's month, exactly; nil where rows are over all time.
    static func bucket(of fold: FoldDefinition) -> String? {
        switch fold.kind {
        case .counter(let counter), .top(let counter): counter.bucket.map { _ in "bucket" }
        case .unique(let unique): unique.bucket.map { _ in "bucket" }
        case .append: "event_at"
        case .entity: nil
        }
    }

    /// A column by which some month that rows came from is seen.
    private static func time(of fold: FoldDefinition) -> String? {
        if case .entity = fold.kind { return "event_at" }
        return bucket(of: fold)
    }

    /// An entity's row may be of an older time than the month that its event is in (`DatedIdentity`): then it is at the
    /// start of one.
    private static func exception(_ fold: FoldDefinition, _ attached: Set<PartitionMonth>) -> String {
        guard case .entity = fold.kind, !attached.isEmpty else { return "" }
        let starts = attached.map { "'\($0.lowerBound)'" }.joined(separator: ", ")
        return """
             AND NOT (event_id::text ~ '\(DatedIdentity.pattern)' AND (event_id, row.tenant_id) IN (
                SELECT event.id, event.tenant_id
                FROM public.\(fold.rowsTable.rawValue) AS event
                WHERE event.created_at IN (\(starts))
            ))
            """
    }

    private struct Column {
        var type: String
        var qualified: String
        /// Whether the type is one of the version's own.
        var isOwn: Bool
    }

    /// By name; empty when there is no such table.
    private func columns(of table: String, in schema: String) throws(PostgresError) -> [String: Column] {
        let rows = try connection.query(
            """
            SELECT attname, typname, format('%I.%I', space.nspname, typname), space.nspname = $2
            FROM pg_catalog.pg_attribute
            JOIN pg_catalog.pg_type AS type ON type.oid = atttypid
            JOIN pg_catalog.pg_namespace AS space ON space.oid = typnamespace
            WHERE attrelid = to_regclass(format('%I.%I', $2::text, $1::text)) AND attnum > 0 AND NOT attisdropped
                AND attgenerated = ''
            """, parameters: [.text(table), .text(schema)])
        var columns: [String: Column] = [:]
        for row in 0..<rows.rowCount {
            columns[rows.string(row, 0) ?? ""] = Column(
                type: rows.string(row, 1) ?? "", qualified: rows.string(row, 2) ?? "",
                isOwn: rows.bool(row, 3) ?? false)
        }
        return columns
    }

    private static func text(_ month: PartitionMonth) -> String { String(month.lowerBound.prefix(7)) }
}

extension FoldDefinition {
    /// The table of the rows that it is over.
    var rowsTable: PartitionedTable {
        switch source {
        case .conversations: .conversations
        case .events: .analyticsEvents
        }
    }
}
