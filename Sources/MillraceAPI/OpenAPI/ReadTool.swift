package import MillraceJSON
internal import MillraceRoutes

/// A route of the read API for who asks by a name and arguments, as assistants do. What its arguments are is what
/// `/openapi.json` says of the route's parameters.
package struct ReadTool: Sendable {
    /// An argument as it came in JSON.
    package enum Argument: Sendable, Equatable {
        /// A string; or a number, `true` or `false` as JSON writes it.
        case text(String)
        /// An array of such.
        case list([String])
        /// An object. `members`: where all of its values are such; `json`: its text.
        case object(members: [String: String]?, json: String)
    }

    /// Why arguments make no request; for the one who asked.
    package struct Problem: Error, Equatable {
        /// What was wrong, and what is wanted.
        package var message: String
    }

    /// Longest path with its query, in bytes: what is longer, daemons and proxies refuse.
    package static let targetBytesMax = 8 << 10

    /// In snake_case.
    package let name: String
    /// What it answers, and how to go about it.
    package let description: String
    private let operation: APIOperation

    private init(_ name: String, _ operation: APIOperation, _ advice: String) {
        self.name = name
        self.operation = operation
        description = "\(operation.summary). \(advice)"
    }

    /// All of them: each only reads.
    package static let all = [
        ReadTool(
            "list_packs", PacksRoute.operation,
            "Begin here: the others want the names of packs, folds and columns that this lists"),
        ReadTool(
            "counts", CountsRoute.operation,
            "How many events there were, of a fold of kind counter: kept up to date, so that asking is cheap"),
        ReadTool("tops", TopsRoute.operation, "Of a fold of kind top"),
        ReadTool("uniques", UniquesRoute.operation, "Of a fold of kind unique, such as distinct users a day"),
        ReadTool("status_counts", CountsRoute.statusOperation, "Of a fold of kind status_counts"),
        ReadTool("entities", EntitiesRoute.operation, "Of a fold of kind entity or append: the rows themselves"),
        ReadTool("funnels", FunnelsRoute.operation, "Needs the pack product"),
        ReadTool("retention", RetentionRoute.operation, "Needs the pack product"),
        ReadTool("sessions", SessionsRoute.operation, "Needs the pack product"),
        ReadTool("paths", PathsRoute.operation, "Needs the pack product"),
        ReadTool(
            "events", EventQueryRoute.operation,
            "The events themselves: give a type, a user or a time, and take counts for numbers"),
        ReadTool(
            "status", OperationalRoutes.readyzOperation, "Whether it writes to its database, and what is wrong if not"),
    ]

    /// A JSON Schema of the arguments.
    package var inputSchema: JSONSchema {
        let parameters = operation.pathParameters + operation.parameters
        var fields = parameters.map { (name: $0.name, schema: $0.kind.schema.described($0.description)) }
        if operation.takesColumns {
            let columns = APIOperation.columns
            fields.append((columns.name, columns.schema.described(columns.doc)))
        }
        return .object(fields, required: parameters.filter(\.isRequired).map(\.name))
    }

    /// Whether what came with this HTTP status is what was asked for.
    package func isAnswer(status: Int) -> Bool {
        status == 200 || status == 503 && operation.unavailableAnswer != nil
    }

    /// The path and query of a GET. What the route itself checks is left to it: it says what is wrong best.
    package func target(_ arguments: [String: Argument]) throws(Problem) -> String {
        var rest = arguments
        var path = ""
        for part in operation.route.path.split(separator: "/") {
            guard part.hasPrefix("{") else {
                path += "/\(part)"
                continue
            }
            let name = String(part.dropFirst().dropLast())
            let parameter = operation.pathParameters.first { $0.name == name }
            guard case .text(let value)? = rest.removeValue(forKey: name), !value.isEmpty else {
                throw Problem(message: "\(name) is wanted, a string: \(parameter?.doc ?? name)")
            }
            path += "/" + Self.encoded(value)
        }
        var pairs: [String] = []
        for (name, argument) in rest.sorted(by: { $0.key < $1.key }) {
            if operation.takesColumns, name == APIOperation.columns.name {
                guard case .object(let members?, _) = argument else {
                    throw Problem(message: "\(name) is an object of columns and their values, as strings or numbers")
                }
                pairs += members.sorted { $0.key < $1.key }.map { Self.pair($0.key, $0.value) }
            } else {
                pairs.append(Self.pair(name, try text(of: argument, name)))
            }
        }
        let target = pairs.isEmpty ? path : path + "?" + pairs.joined(separator: "&")
        guard target.utf8.count <= Self.targetBytesMax else {
            throw Problem(message: "the arguments are longer than \(Self.targetBytesMax) bytes; ask for less at once")
        }
        return target
    }

    /// As the route takes it.
    private func text(of argument: Argument, _ name: String) throws(Problem) -> String {
        let kind = operation.parameters.first { $0.name == name }?.kind
        switch (argument, kind) {
        case (.text(let text), _): return text
        case (.list(let values), .names): return values.joined(separator: ",")
        case (.list(let values), _): return String(decoding: values.json, as: UTF8.self)
        case (.object(_, let json), .object): return json
        case (.object, _): throw Problem(message: "\(name) takes no object")
        }
    }

    private static func pair(_ name: String, _ value: String) -> String { "\(encoded(name))=\(encoded(value))" }

    /// All but RFC 3986's unreserved characters in percent-encoding.
    private static func encoded(_ text: String) -> String {
        let digits = Array("0123456789ABCDEF")
        return text.utf8.reduce(into: "") { encoded, byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
                UInt8(ascii: "~"):
                encoded.append(Character(UnicodeScalar(byte)))
            default: encoded += "%\(digits[Int(byte >> 4)])\(digits[Int(byte & 15)])"
            }
        }
    }
}
