/// A column of a fold's tuples, as the statements see it: an array that is unnested as `k.cN`.
struct FoldColumn {
    /// In the table.
    var name: String
    var element: ArrayElement
    /// What goes into the table, of `k.cN`.
    var expression: String
    var step: FoldStep
    /// For messages.
    var field: String

    var quotedName: String { "\"\(name)\"" }
}
