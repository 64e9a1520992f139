/// A pack: folds over the rows, and the SQL that makes the tables they are kept in. Read from `sql/packs/<pack>/`.
package struct PackDefinition: Sendable, Equatable {
    /// `[a-z][a-z0-9_]{0,30}`; every table of the pack starts with it and `_`.
    package var name: String
    /// From 1; raised with every change of the pack's files.
    package var version: Int
    package var title: String
    /// In the order of the file, which is the order in which their tables are written.
    package var folds: [FoldDefinition]
    /// Makes the tables; names them without a schema.
    package var upSQL: String
    /// Removes them.
    package var downSQL: String
    /// SHA-256 of pack.toml, up.sql and down.sql, as 64 lower-case hexadecimal digits.
    package var hash: String
    /// Where pack.toml was read; for messages.
    package var file: String

    package init(
        name: String, version: Int, title: String, folds: [FoldDefinition], upSQL: String, downSQL: String,
        hash: String, file: String = "pack.toml"
    ) {
        self.name = name
        self.version = version
        self.title = title
        self.folds = folds
        self.upSQL = upSQL
        self.downSQL = downSQL
        self.hash = hash
        self.file = file
    }
}
