/// What `millrace verify --json` says, as far as the tests look.
struct VerifyReport: Decodable {
    struct Check: Decodable {
        var name: String
        var ok: Bool
        var detail: String
    }

    struct Kind: Decodable {
        var kind: String
        var received: Int
        var committed: Int
        var duplicate: Int
        var dead: Int
        var refused: Int
        var inSpool: Int
    }

    var ok: Bool
    var checks: [Check]
    var conservation: [Kind]

    var total: Kind? { conservation.first { $0.kind == "total" } }

    /// What is not well.
    var failures: [String] { checks.filter { !$0.ok }.map { "\($0.name): \($0.detail)" } }
}
