/// One commutative fold: which rows go into which table, and how.
package struct FoldDefinition: Sendable, Equatable {
    /// Within the pack.
    package var name: String
    /// Without its schema; starts with the pack's name.
    package var table: String
    package var source: FoldSource
    package var kind: FoldKind
    /// Of the definition in pack.toml, from 1; for messages.
    package var line: Int

    package init(name: String, table: String, source: FoldSource, kind: FoldKind, line: Int) {
        self.name = name
        self.table = table
        self.source = source
        self.kind = kind
        self.line = line
    }
}
