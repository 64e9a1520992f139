internal import Hummingbird
internal import MillraceEvent
internal import MillraceJSON
internal import MillracePostgres
internal import MillraceRoutes

/// `GET /v1/months`: the months of every table, as `millrace partitions list` shows them.
struct MonthsRoute: ReadingRoute {
    static let operation = APIOperation(
        .months, id: "months", tag: "operations", summary: "The months of every table, their sizes and states",
        access: .operations, answer: .init(MonthList.self),
        furtherFailures: [(503, "The database or a connection to it is not there; try later")])

    /// Of `database.url`: who only reads rows may not see how far months are.
    let pool: ReadPool

    func respond(_ parameters: RequestParameters) async throws -> Response {
        let months = try await pool.read(.months) { connection in
            let partitions = Partitions(connection: connection)
            let sizes = try partitions.list()
            return try partitions.survey(ahead: 0, from: Timestamp.now.microseconds).map { standing in
                MonthList.Month(
                    standing, sizes.first { $0.table == standing.table && $0.name == standing.name })
            }
        }
        return Response(MonthList(items: months))
    }
}

private struct MonthList: JSONShape {
    struct Month: JSONShape {
        private var standing: MonthStanding
        private var partition: Partition?

        /// `partition`: nil where the month has no table.
        init(_ standing: MonthStanding, _ partition: Partition?) {
            self.standing = standing
            self.partition = partition
        }

        static let fields: [JSONField<Self>] = [
            JSONField("table", \.standing.table.rawValue), JSONField("name", \.standing.name),
            JSONField("month", \.month, doc: "YYYY-MM, UTC; null: a partition that is no month"),
            JSONField("state", \.standing.state.rawValue),
            JSONField("rows", \.rows, doc: "As counted when it was retired, or an estimate"),
            JSONField("bytes", \.partition?.bytes, doc: "With its indexes"),
            JSONField("payload_index", \.partition?.payloadIndex.rawValue),
            JSONField("retirement", \.standing.record?.state.rawValue, doc: "How far it is on its way out, or back"),
            JSONField("fix", \.standing.fix, doc: "The command that fixes it; null where nothing is wrong"),
        ]

        private var month: String? { standing.month.map { "\($0.label)" } }
        private var rows: Int? { standing.record?.rows ?? partition?.rowsEstimate }
    }

    var items: [Month]

    static let name = "Months"

    static let fields: [JSONField<Self>] = [JSONField("items", \.items)]
}
