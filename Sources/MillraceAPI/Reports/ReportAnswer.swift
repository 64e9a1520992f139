internal import Hummingbird
internal import MillraceJSON

/// A row of a report.
protocol ReportRow: RowShape {
    static var reportName: String { get }
}

/// A report as it is answered.
struct ReportAnswer<Row: ReportRow>: JSONShape {
    private var range: TimeRange
    private var asOf: String
    private var items = RowList<Row>()

    static var name: String { Row.reportName }

    static var fields: [JSONField<Self>] {
        [
            JSONField("from", \.range.from, as: .time), JSONField("to", \.range.to, as: .time),
            JSONField("as_of", \.asOf, as: .time, doc: "What was committed by then is in it"),
            JSONField("items", \.items),
        ]
    }

    static func response(_ report: KnownReports.Report, _ range: TimeRange) -> Response {
        Response(Self(range: range, asOf: report.asOf), rows: [report.rows])
    }
}
