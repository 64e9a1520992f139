/// Holds values against the schemas of `/openapi.json`: as much of JSON Schema as that uses.
struct SchemaCheck {
    let document: JSONObject

    /// What is wrong with an answer: by its status, its content, and each of its fields.
    func problems(_ answer: APIClient.Response, of operation: JSONObject) -> [String] {
        let described = operation.responses["\(answer.status)"]
        guard described != .null else { return ["status \(answer.status) is not described"] }
        let type = answer.headers["content-type"] ?? ""
        guard type == "application/json" else {
            return described.content.members.keys.contains { type.hasPrefix($0) } ? [] : ["\(type) is not described"]
        }
        return problems(answer.json, described.content["application/json"].schema, at: "")
    }

    func problems(_ value: JSONObject, _ schema: JSONObject, at place: String) -> [String] {
        if let reference = schema["$ref"].text {
            let name = reference.split(separator: "/").last.map(String.init) ?? ""
            return problems(value, document.components.schemas[name], at: place)
        }
        guard !schema.members.isEmpty else { return ["\(place): no schema"] }
        let types = schema.type.text.map { [$0] } ?? schema.type.elements.compactMap(\.text)
        guard types.contains(where: { isOf(value, $0) }) else { return ["\(place): \(value) is none of \(types)"] }
        switch value {
        case .object: return members(value, schema, at: place)
        case .array(let elements):
            return elements.enumerated().flatMap { problems($1, schema.items, at: "\(place)[\($0)]") }
        case .string(let text):
            let choices = schema["enum"].elements
            if !choices.isEmpty, !choices.contains(value) { return ["\(place): \(text) is none of \(choices)"] }
            return Self.fits(text, schema.format.text) ? [] : ["\(place): \(text) is no \(schema.format)"]
        case .number, .bool, .null: return []
        }
    }

    private func members(_ value: JSONObject, _ schema: JSONObject, at place: String) -> [String] {
        var problems: [String] = []
        for name in schema.required.elements.compactMap(\.text) where value.members[name] == nil {
            problems.append("\(place).\(name) is missing")
        }
        for (name, member) in value.members {
            if let known = schema.properties.members[name] {
                problems += self.problems(member, known, at: "\(place).\(name)")
            } else if schema.additionalProperties == .bool(false) {
                problems.append("\(place).\(name) is not described")
            } else if schema.additionalProperties != .null {
                problems += self.problems(member, schema.additionalProperties, at: "\(place).\(name)")
            }
        }
        return problems
    }

    private func isOf(_ value: JSONObject, _ type: String) -> Bool {
        switch (value, type) {
        case (.object, "object"), (.array, "array"), (.string, "string"), (.number, "number"), (.bool, "boolean"),
            (.null, "null"):
            true
        case (.number(let number), "integer"): number == number.rounded()
        default: false
        }
    }

    private static func fits(_ text: String, _ format: String?) -> Bool {
        switch format {
        case "uuid": text.wholeMatch(of: #/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/#) != nil
        case "date-time": text.wholeMatch(of: #/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z/#) != nil
        default: true
        }
    }
}
