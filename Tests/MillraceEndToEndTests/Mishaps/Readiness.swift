import FoundationEssentials

/// What `/readyz` says about writing.
struct Readiness: Equatable {
    private struct Body: Decodable {
        var writing: Bool
        var reason: String?
        var since: String?
    }

    var status: Int
    var writing: Bool
    var reason: String?
    var since: String?

    static func of(_ daemon: DaemonProcess) throws -> Readiness {
        let response = try HTTPClient.get("/readyz", at: daemon.http)
        let body = try JSONDecoder().decode(Body.self, from: Data(response.body))
        return Readiness(status: response.status, writing: body.writing, reason: body.reason, since: body.since)
    }
}
