internal import MillracePostgres

extension PostgresParameter {
    /// An array's literal; nil is NULL.
    static func array(_ values: [String?]) -> PostgresParameter {
        let elements = values.map { value in
            guard let value else { return "NULL" }
            return "\"" + value.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"") + "\""
        }
        return .text("{" + elements.joined(separator: ",") + "}")
    }

    static func array(_ values: [some BinaryInteger]) -> PostgresParameter {
        .text("{" + values.map { String($0) }.joined(separator: ",") + "}")
    }
}
