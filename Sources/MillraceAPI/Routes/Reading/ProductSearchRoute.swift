internal import Hummingbird
internal import MillraceJSON
internal import MillracePostgres
internal import MillraceRoutes
internal import NIOCore

/// `GET /v1/products/search`: products for sale by their names, mistyped too, the best first.
struct ProductSearchRoute: ReadingRoute {
    private static let fallbackLimit = 20

    static let operation = APIOperation(
        .productSearch, id: "searchProducts", tag: "commerce",
        summary: "Products for sale whose names are like the words, the best first", access: .read,
        parameters: [
            APIParameter(
                "q", .text(bytesMax: 200), "Words of a name; they may be mistyped or unfinished", isRequired: true,
                example: "lmpe"),
            ReadParameters.limit(fallbackLimit),
        ], answer: .init(FoundProducts.self),
        furtherFailures: [(404, "The pack commerce is not loaded")])

    private static let statement = """
        SELECT id, name, description, price, stock, created_at, similarity
        FROM projections.commerce_search_products($1::text, $2::integer, $3::integer)
        """

    let catalog: PackCatalog
    let configuration: ReadConfiguration

    func respond(_ parameters: RequestParameters) async throws -> Response {
        let words = parameters.text("q") ?? ""
        let limit = parameters.integer("limit", default: Self.fallbackLimit)
        let tenant = parameters.tenant
        return try await catalog.read(.productSearch) { live in
            _ = try catalog.pack("commerce", in: live)
            let items = try await catalog.servers.read(.productSearch, of: tenant) { connection in
                let rows = try connection.query(
                    Self.statement, parameters: [.text(words), .integer(tenant), .integer(limit)])
                let writer = ResultRows(rows)
                var items = ByteBuffer()
                for row in 0..<rows.rowCount { writer.write(row, of: rows, to: &items) }
                return items
            }
            return Response(FoundProducts(), rows: [items])
        }
    }
}

private struct FoundProducts: JSONShape {
    private enum Row: RowShape {
        static let schema = JSONSchema.object(
            [
                ("id", .uuid), ("name", .text), ("description", JSONSchema.text.nullable), ("price", .text),
                ("stock", .integer), ("created_at", JSONSchema.time.nullable), ("similarity", .number),
            ], required: ["id", "name", "description", "price", "stock", "created_at", "similarity"])
    }

    private var items = RowList<Row>()

    static let fields: [JSONField<Self>] = [JSONField("items", \.items)]
}
