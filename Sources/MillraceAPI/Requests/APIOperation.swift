/// A route as clients see it: the router takes its path and parameters from here, and `/openapi.json` describes it.
struct APIOperation: Sendable {
    enum Method: String, Sendable {
        case get, post
    }

    enum Access: Sendable {
        case open
        /// A token that may read, unless the daemon has no keys and the caller is on this machine.
        case read
        /// A token of the user.
        case user
    }

    /// What a POST carries.
    struct Body: Sendable {
        /// By content type.
        var schemas: [(String, JSONTree)]
        var example: JSONTree?
    }

    /// `operationId`.
    var id: String
    var method = Method.get
    /// With `{names}`.
    var path: String
    /// Of it in the description.
    var tag: String
    var summary: String
    var access: Access
    var pathParameters: [APIParameter] = []
    var parameters: [APIParameter] = []
    /// Further parameters are columns that rows must equal.
    var takesColumns = false
    var body: Body?
    /// Name of the schema of its 200; nil: text.
    var answer: String?
    /// Further statuses of success and failure, and what they mean.
    var successes = [(200, "As asked")]
    var furtherFailures: [(Int, String)] = []
    /// Of what is not 2xx.
    var errorAnswer = "Error"
    /// Name of the schema of its 503, when that is no error.
    var unavailableAnswer: String?
    /// Further types of its 200.
    var furtherContent: [(String, JSONTree)] = []

    /// What else than success can be answered.
    func failures(hasKeys: Bool) -> [(Int, String)] {
        var failures: [(Int, String)] = [(400, "Malformed; the message says what is wanted")]
        if access == .user || access == .read && hasKeys {
            failures.append((401, "No token, or one that is not believed"))
        }
        if access != .open { failures.append((403, "Not for the one who asks")) }
        if !pathParameters.isEmpty { failures.append((404, "There is no such thing")) }
        if access == .read { failures.append((503, "The database or a connection to it is not there; try later")) }
        return (failures + furtherFailures).sorted { $0.0 < $1.0 }
    }

    /// As Hummingbird writes patterns.
    var pattern: String {
        path.split(separator: "/").map { part in
            part.hasPrefix("{") ? ":" + part.dropFirst().dropLast() : String(part)
        }.joined(separator: "/")
    }

    /// The values of the path's names; nil for another path. Throws `APIProblem` when one is wrongly encoded.
    func match(_ requested: String) throws(APIProblem) -> [String: String]? {
        let wanted = path.split(separator: "/")
        let parts = requested.split(separator: "/")
        guard wanted.count == parts.count else { return nil }
        var values: [String: String] = [:]
        for (pattern, part) in zip(wanted, parts) {
            if pattern.hasPrefix("{") {
                values[String(pattern.dropFirst().dropLast())] = try RequestQuery.decoded(part, plusIsBlank: false)
            } else if pattern != part {
                return nil
            }
        }
        return values
    }
}
