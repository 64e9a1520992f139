/// Rows of an entity's table, the most recent first where an index knows a time, else by key; each once.
struct EntityPageQuery: Sendable {
    let entity: EntityTable
    /// nil: by key only.
    let time: CatalogTable.Column?
    let isAscending: Bool
    let tenant: Int32
    /// Adds further conditions, each with AND.
    let conditions: @Sendable (inout SQLStatement) -> Void

    var keyCount: Int { entity.key.count + (time == nil ? 0 : 1) }

    func statement(after key: [String?]?) -> SQLStatement {
        let keys = entity.key.map { SQLStatement.quoted($0.name) }
        let all = (time.map { [SQLStatement.quoted($0.name)] } ?? []) + keys
        var statement = SQLStatement(
            "SELECT \(entity.columns), \(all.joined(separator: ", ")) FROM \(entity.table.qualified)")
        statement.append(entity.condition(tenant: tenant))
        conditions(&statement)
        if let key { after(key, keys, in: &statement) }
        let direction = isAscending ? "" : " DESC"
        statement.append("ORDER BY " + all.map { $0 + direction }.joined(separator: ", "))
        return statement
    }

    /// Rows without a time come first when the latest do, last when the earliest do, as an index has them.
    private func after(_ key: [String?], _ keys: [String], in statement: inout SQLStatement) {
        let places = zip(entity.key, key.suffix(keys.count)).map { column, value in
            statement.bind(value, as: column.type, named: "cursor")
        }
        let rows = "(\(keys.joined(separator: ", ")))"
        let place = "(\(places.joined(separator: ", ")))"
        let (sign, nearest) = isAscending ? (">", ">=") : ("<", "<=")
        guard let time else {
            statement.append("AND \(rows) \(sign) \(place)")
            return
        }
        let column = SQLStatement.quoted(time.name)
        guard let last = key[0] else {
            statement.append(
                isAscending
                    ? "AND \(column) IS NULL AND \(rows) > \(place)"
                    : "AND (\(column) IS NOT NULL OR \(rows) < \(place))")
            return
        }
        let value = statement.bind(last, as: time.type, named: "cursor")
        if isAscending, !time.isNotNull {
            statement.append(
                "AND (\(column) > \(value) OR \(column) = \(value) AND \(rows) > \(place) OR \(column) IS NULL)")
        } else {
            statement.append(
                "AND \(column) \(nearest) \(value) AND (\(column) \(sign) \(value) OR \(rows) \(sign) \(place))")
        }
    }
}
