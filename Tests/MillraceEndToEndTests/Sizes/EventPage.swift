import FoundationEssentials

/// A page of `GET /v1/events`, or why there is none.
struct EventPage: Decodable {
    struct Item: Decodable {
        var id: String
    }

    var items: [Item]?
    var next: String?
    var error: HTTPResponse.Body.Problem?

    init(_ response: HTTPResponse) throws {
        self = try JSONDecoder().decode(Self.self, from: Data(response.body))
    }
}
