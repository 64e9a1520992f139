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

extension [FoldColumn] {
    /// The columns' arrays, then `more`, as rows: `unnest($1::…[], …) AS k (c0, c1, …)`; `isNumbered`: with `number`, from 1.
    func unnested(_ more: [(name: String, element: ArrayElement)] = [], isNumbered: Bool = false) -> String {
        let arrays = (map(\.element) + more.map(\.element)).enumerated()
            .map { "$\($0 + 1)::\($1.arrayName)" }.joined(separator: ", ")
        let names = indices.map { "c\($0)" } + more.map(\.name) + (isNumbered ? ["number"] : [])
        return "unnest(\(arrays))\(isNumbered ? " WITH ORDINALITY" : "") AS k (\(names.joined(separator: ", ")))"
    }
}
