import MillracePostgres

/// Persons of the pack `product`, counted again from its links by union-find.
struct ProductPersons {
    private var parent: [String: String] = [:]

    /// `tenant id person is_oversized`, sorted, as `product_identities` should have them.
    static func expected(on connection: PostgresConnection) throws -> [String] {
        let links = try connection.execute(
            """
            SELECT DISTINCT tenant_id || ' ', user_id::text, linked_id::text
            FROM (
                SELECT tenant_id, user_id, linked_id FROM projections.product_anonymous_links
                UNION SELECT tenant_id, user_id, linked_id FROM projections.product_previous_links
            ) AS links
            WHERE user_id <> linked_id
            """)
        let pairs = (0..<links.rowCount).map { row in
            let tenant = links.string(row, 0) ?? ""
            return (tenant + (links.string(row, 1) ?? ""), tenant + (links.string(row, 2) ?? ""))
        }
        let users = Dictionary(grouping: pairs, by: \.1).mapValues { Set($0.map(\.0)).count }
        var persons = ProductPersons()
        for (user, linked) in pairs where (users[user] ?? 0) <= 10 && (users[linked] ?? 0) <= 10 {
            persons.join(user, linked)
        }
        return persons.rows
    }

    static func found(on connection: PostgresConnection) throws -> [String] {
        let rows = try connection.execute(
            """
            SELECT concat_ws(' ', tenant_id, user_id, person_id, is_oversized) FROM projections.product_identities ORDER BY 1
            """)
        return (0..<rows.rowCount).compactMap { rows.string($0, 0) }.sorted()
    }

    private func root(_ id: String) -> String {
        var id = id
        while let above = parent[id], above != id { id = above }
        return id
    }

    private mutating func join(_ one: String, _ other: String) {
        let (left, right) = (root(one), root(other))
        // The least is the root.
        parent[max(left, right)] = min(left, right)
        parent[min(left, right)] = min(left, right)
    }

    private var rows: [String] {
        let members = Dictionary(grouping: parent.keys, by: root)
        return members.flatMap { root, ids in
            ids.map { id in
                let person = ids.count > 1000 ? id : root
                return "\(id) \(person.split(separator: " ")[1]) \(ids.count > 1000 ? "t" : "f")"
            }
        }.sorted()
    }
}
