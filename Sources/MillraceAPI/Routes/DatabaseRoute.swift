internal import Hummingbird
internal import MillraceJSON
internal import MillracePostgres
internal import MillraceRoutes

/// `GET /v1/database`: the report of `millrace status --database`.
struct DatabaseRoute: ReadingRoute {
    static let operation = APIOperation(
        .database, id: "database", tag: "operations",
        summary: "How the database fares: what is slow, what waits, what grows, and which command helps",
        access: .admin,
        answer: .init(CareReport.self),
        furtherFailures: [(503, "The database or a connection to it is not there; try later")])

    /// Of `database.url`: of a replica that is read, nothing here would be true.
    let pool: ReadPool

    func respond(_ parameters: RequestParameters) async throws -> Response {
        Response(try await pool.read(.database) { try DatabaseCare(connection: $0).report() })
    }
}
