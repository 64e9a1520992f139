internal import HTTPTypes
internal import MillraceProjections

/// A table of counts as a route reads it: a counter's, or status counts.
struct CountsTable: Sendable {
    let table: CatalogTable
    /// What a row's bucket stands for; nil: there is none.
    let unit: TimeBucket?
    let dimensions: [CatalogTable.Column]
    let sums: [CatalogTable.Column]

    /// Throws `APIProblem` when the live table lacks a column.
    init(_ table: CatalogTable, unit: TimeBucket?, dimensions: [String], sums: [String]) throws(APIProblem) {
        self.table = table
        self.unit = unit
        self.dimensions = try dimensions.map { (name) throws(APIProblem) in try Self.column(name, of: table) }
            .filter { !$0.isSecret }
        self.sums = try sums.map { (name) throws(APIProblem) in try Self.column(name, of: table) }
    }

    private static func column(_ name: String, of table: CatalogTable) throws(APIProblem) -> CatalogTable.Column {
        if let column = table.column(name) { return column }
        throw APIProblem(
            .notFound, "unknown_fold",
            "the live version of the pack has no \(name) here; run `millrace projections rebuild`")
    }

    /// The columns named, in that order. Throws `APIProblem` for others.
    func dimensions(named names: [String]) throws(APIProblem) -> [CatalogTable.Column] {
        var columns: [CatalogTable.Column] = []
        for name in names {
            guard let column = dimensions.first(where: { $0.name == name }) else {
                throw RequestParameters.invalid("by", "of \(dimensionNames)")
            }
            guard !columns.contains(column) else { throw RequestParameters.invalid("by", "names, each once") }
            columns.append(column)
        }
        return columns
    }

    /// Adds the conditions of a request. Throws `APIProblem` when one is of no dimension.
    func filter(
        _ parameters: RequestParameters, _ operation: APIOperation, in statement: inout SQLStatement
    ) throws(APIProblem) {
        if parameters.isOfOwn,
            !dimensions.contains(where: { $0.name == RequestParameters.userName && $0.type == "uuid" })
        {
            throw RequestAccess.notOwn
        }
        for condition in try parameters.conditions(of: dimensions, operation) { condition.append(to: &statement) }
    }

    /// The buckets that can be asked for: the table's own and longer ones, and none at all.
    var units: [String] {
        let own = unit.flatMap { TimeBucket.allCases.firstIndex(of: $0) }
        return (own.map { TimeBucket.allCases[$0...].map(\.rawValue) } ?? []) + ["none"]
    }

    private var dimensionNames: String {
        dimensions.isEmpty ? "none: it has no dimensions" : dimensions.map(\.name).joined(separator: ", ")
    }
}
