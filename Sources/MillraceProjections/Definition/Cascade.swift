/// With which other row a fold's rows go: when that one is deleted, so are those that point to it then.
package struct Cascade: Sendable, Equatable {
    /// A column of the fold, and the one of the parent's key that it names.
    package struct Link: Sendable, Equatable {
        package var column: String
        package var key: String

        package init(column: String, key: String) {
            self.column = column
            self.key = key
        }
    }

    /// The name of the fold whose rows are pointed to.
    package var parent: String
    /// One for each column of the parent's key, `tenant_id` excluded.
    package var links: [Link]
    /// Of pack.toml, from 1; for messages.
    package var line: Int

    package init(parent: String, links: [Link], line: Int = 1) {
        self.parent = parent
        self.links = links
        self.line = line
    }
}

extension Cascade {
    /// That the parent's row `one` is the one that `row` points to, as a condition on these aliases.
    func matches(_ one: String, _ row: String) -> String {
        (["\(one).tenant_id = \(row).tenant_id"] + links.map { "\(one).\"\($0.key)\" = \(row).\"\($0.column)\"" })
            .joined(separator: " AND ")
    }
}

extension PackDefinition {
    /// Folds that take part in cascades, each after those whose rows its own go with.
    var cascadeOrder: [FoldDefinition] {
        var left = folds.filter { !$0.cascades.isEmpty || isParent($0) }
        var ordered: [FoldDefinition] = []
        while let next = left.firstIndex(where: { fold in
            !left.contains { other in fold.cascades.contains { $0.parent == other.name } }
        }) {
            ordered.append(left.remove(at: next))
        }
        precondition(left.isEmpty, "PackReader has let through folds that go with each other")
        return ordered
    }

    /// The table of the rows that are pointed to.
    func parentTable(of cascade: Cascade) -> String {
        guard let parent = folds.first(where: { $0.name == cascade.parent }) else {
            preconditionFailure("PackReader has let through a cascade from \(cascade.parent), which is no fold")
        }
        return parent.table
    }

    /// Whether the rows of others go with those of `fold`.
    func isParent(_ fold: FoldDefinition) -> Bool {
        folds.contains { $0.cascades.contains { $0.parent == fold.name } }
    }
}
