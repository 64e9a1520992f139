import MillraceAPI
import MillraceIntake
import MillracePostgres
import MillraceRoutes
import MillraceTestSupport
import Testing

@Suite(.timeLimit(.minutes(1)))
struct OpenAPITests {
    @Test func `every operation that reads answers by its own description`() async throws {
        let fixture = try ReadFixture()
        try fixture.addEvents(10)
        try fixture.addConversations(10)
        try fixture.database.connect().execute(
            "INSERT INTO projections.shop_orders (id, event_at, event_id) VALUES (1, now(), gen_random_uuid())")
        try await fixture.withAPI { client in
            let document = try await client.get("/openapi.json").json
            #expect(document.openapi.text == "3.1.0")
            let folds = try await client.get("/v1/packs").json.items.elements.flatMap(\.folds.elements)
            let schemas = document.components.schemas
            for (path, operations) in document.paths.members {
                for (method, operation) in operations.members where method == "get" {
                    for address in Self.addresses(of: path, folds) {
                        let answer = try await client.get(address + Self.query(operation))
                        #expect(answer.status == 200, "\(address): \(answer.body)")
                        let schema = operation.responses["200"].content["application/json"].schema["$ref"].text
                        guard let name = schema?.split(separator: "/").last else { continue }
                        for member in schemas[String(name)].required.elements.compactMap(\.text) {
                            #expect(answer.json.members.keys.contains(member), "\(address): \(member)")
                        }
                    }
                }
            }
            let security = document.paths["/v1/packs"].get.security
            #expect(security.elements == [.object([:])])
        }
    }

    /// Each place that a path with names stands for.
    private static func addresses(of path: String, _ folds: [JSONObject]) -> [String] {
        guard let open = path.firstIndex(of: "{") else { return [path] }
        let found = folds.compactMap(\.path.text).filter { $0.hasPrefix(path[..<open]) }
        return path.hasSuffix("{key}") ? ["/v1/entities/shop/orders/1"] : found
    }

    /// What must be given, by the examples.
    private static func query(_ operation: JSONObject) -> String {
        let wanted = operation.parameters.elements.filter {
            $0.required == .bool(true) && $0["in"] == .string("query")
        }
        let pairs = wanted.compactMap { parameter in
            parameter.name.text.flatMap { name in parameter.example.text.map { "\(name)=\($0)" } }
        }
        return pairs.isEmpty ? "" : "?" + pairs.joined(separator: "&")
    }

    @Test func `metrics know each reading route by the same pattern`() {
        for route in ReadRoute.allCases {
            let path = route.path.replacing(#/\{[a-z]+\}/#, with: "x")
            #expect(HTTPRoute(path: path, isReading: true).description == route.rawValue)
        }
        #expect(HTTPRoute(path: "/v1/events", isReading: false) == .events)
        #expect(HTTPRoute(path: "/v1/entities/a/b/c/d", isReading: true) == .other)
        #expect(HTTPRoute(path: "/v1/counts", isReading: true) == .other)
    }
}
