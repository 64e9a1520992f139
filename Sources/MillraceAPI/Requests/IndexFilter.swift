internal import HTTPTypes
internal import MillraceAccess
internal import MillraceEvent
internal import MillraceJSON

/// The parameter `index`: rows by values that are encrypted, through their blind index.
///
/// For who may decrypt alone: whoever may ask whether a value is there can try values.
struct IndexFilter: Sendable {
    /// `column`: the one with the index, `payload` or `metadata`.
    static func parameter(_ column: String) -> APIParameter {
        APIParameter(
            "index", .object,
            "Only rows with these encrypted values, by the paths of fields.index without \(column); wants the scope decrypt",
            example: #"{"contact.email":"ada@example.org"}"#)
    }

    private let column: String
    /// For each path, of what one has to be contained.
    private let alternatives: [[String]]

    /// Nil where it is not asked for. Throws `APIProblem`.
    init?(_ parameters: RequestParameters, column: String, _ configuration: ReadConfiguration) throws(APIProblem) {
        guard let text = parameters.text("index") else { return nil }
        guard parameters.caller.may(.decrypt) else {
            throw APIProblem(
                .forbidden, "forbidden",
                "index wants the scope decrypt: who may ask whether a value is there can try values")
        }
        self.column = column
        var alternatives: [[String]] = []
        for member in JSONScanner.members(Array(text.utf8)[...]) {
            guard let fields = configuration.fields, fields.indexNames.contains(member.name) else {
                throw RequestParameters.invalid(
                    "index", "an object of paths that fields.index lists; \(member.name) is none")
            }
            let first = member.value.first
            guard first != UInt8(ascii: "{"), first != UInt8(ascii: "[") else {
                throw RequestParameters.invalid("index", "an object of texts and numbers")
            }
            let value =
                first == UInt8(ascii: "\"")
                ? JSONString.text(of: member.value) : String(decoding: member.value, as: UTF8.self)
            alternatives.append(
                FieldIndex.documents(value, name: member.name, tenant: parameters.tenant, fields.keys))
        }
        self.alternatives = alternatives
    }

    /// Adds the conditions, each with AND.
    func append(to statement: inout SQLStatement) {
        for documents in alternatives {
            let places = documents.map { statement.bind($0, as: "jsonb", named: "index") }
            statement.append("AND (" + places.map { "\(column) @> \($0)" }.joined(separator: " OR ") + ")")
        }
    }
}
