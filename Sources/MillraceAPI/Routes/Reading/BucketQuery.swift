internal import HTTPTypes
internal import MillraceProjections

/// The time and the groups that a route of buckets is asked for.
struct BucketQuery: Sendable {
    /// `hour`, `day`, `month`, `none`.
    let unit: String
    /// nil where the table has no buckets.
    let range: TimeRange?
    let groups: [CatalogTable.Column]

    /// Without `from`.
    private static let lengths = [
        "hour": Duration.seconds(2 * 86_400), "day": .seconds(31 * 86_400), "month": .seconds(366 * 86_400),
        "none": .seconds(31 * 86_400),
    ]

    static let units = ["hour", "day", "month", "none"]

    static let parameters =
        TimeRange.parameters + [
            APIParameter(
                "bucket", .choice(units),
                "Length of a row's time, UTC; not below the fold's own, which is the default; none: no times"),
            APIParameter("by", .names, "Dimensions to tell apart, separated by commas"),
        ]

    /// `kept`: from and to of the page before. Throws `APIProblem`.
    init(
        _ parameters: RequestParameters, _ table: CountsTable, by names: [String], kept: [String?]?
    ) throws(APIProblem) {
        let wanted = parameters.text("bucket") ?? table.unit?.rawValue ?? "none"
        guard table.units.contains(wanted) else {
            throw RequestParameters.invalid("bucket", "one of \(table.units.joined(separator: ", ")) here")
        }
        unit = wanted
        groups = try table.dimensions(named: names)
        if table.unit == nil {
            guard parameters.text("from") == nil, parameters.text("to") == nil else {
                throw APIProblem(.badRequest, "no_buckets", "these counts are of all time; leave out from and to")
            }
            range = nil
        } else if let kept, let from = kept[0], let to = kept[1] {
            range = TimeRange(from: from, to: to)
        } else {
            range = try TimeRange(parameters, length: Self.lengths[unit] ?? .seconds(86_400))
        }
    }

    /// What rows are grouped by: expressions, the types of their values, and the names in the answer.
    var keys: [(expression: String, type: String, name: String)] {
        let time = unit == "none" ? [] : [("date_trunc('\(unit)', bucket)", "timestamptz", "bucket")]
        return time + groups.map { (SQLStatement.quoted($0.name), $0.type, $0.name) }
    }
}
