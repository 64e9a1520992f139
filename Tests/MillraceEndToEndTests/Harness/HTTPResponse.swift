import FoundationEssentials

/// What an HTTP server answered.
struct HTTPResponse {
    /// The answers of `/v1/events`, of errors and of the ops routes, as far as the tests look.
    struct Body: Decodable {
        struct Problem: Decodable, Equatable {
            var code: String
            var message: String
        }
        struct Rejection: Decodable {
            var index: Int
            var error: Problem
        }
        struct Report: Decodable {
            var index: Int
            var pack: String?
            var fold: String?
            var constraint: String?
            var sqlstate: String?

            /// In one line.
            var words: String {
                ([String(index)] + [pack.map { "\($0).\(fold ?? "")" }, constraint, sqlstate].compactMap(\.self))
                    .joined(separator: " ")
            }
        }
        private enum CodingKeys: String, CodingKey {
            case accepted, duplicates, rejected, parked, error, status, id
            case parkedTotal = "parked_total"
            case deadLetters = "dead_letters"
        }
        var accepted: Int?
        var duplicates: Int?
        var rejected: [Rejection]?
        var parked: [Report]?
        var parkedTotal: Int?
        var deadLetters: [Report]?
        var error: Problem?
        var status: String?
        var id: String?
    }

    var status: Int
    /// Names in lower case.
    var headers: [String: String]
    var body: [UInt8]

    var text: String { String(decoding: body, as: UTF8.self) }

    var json: Body {
        get throws { try JSONDecoder().decode(Body.self, from: Data(body)) }
    }
}

/// The daemon said something else than the test counts on.
struct UnexpectedAnswer: Error, CustomStringConvertible {
    var text: String

    var description: String { "unexpected answer: \(text)" }
}
