/// What OpenAPI says of a value: a schema of JSON Schema 2020-12.
package struct JSONSchema: Sendable {
    private var members: [(String, JSONValue)]

    package var value: JSONValue { .object(members) }

    package static let text = JSONSchema([("type", "string")])
    package static let boolean = JSONSchema([("type", "boolean")])
    package static let integer = JSONSchema([("type", "integer")])
    package static let uuid = JSONSchema([("type", "string"), ("format", "uuid")])
    package static let time = JSONSchema([("type", "string"), ("format", "date-time")])
    package static let anyObject = JSONSchema([("type", "object")])
    /// What a column can hold that is no document.
    package static let scalar = JSONSchema([("type", ["string", "number", "boolean", "null"])])

    package init(_ members: [(String, JSONValue)]) {
        self.members = members
    }

    package static func text(lengths: ClosedRange<Int>) -> JSONSchema {
        JSONSchema([
            ("type", "string"), ("minLength", .integer(lengths.lowerBound)),
            ("maxLength", .integer(lengths.upperBound)),
        ])
    }

    package static func choice(_ values: [String]) -> JSONSchema {
        JSONSchema([("type", "string"), ("enum", .strings(values))])
    }

    package static func array(of element: JSONSchema) -> JSONSchema {
        JSONSchema([("type", "array"), ("items", element.value)])
    }

    /// - Parameter others: what further members may be; nil: there are none.
    package static func object(
        _ fields: [(name: String, schema: JSONSchema)], required: [String], others: JSONSchema? = nil
    ) -> JSONSchema {
        JSONSchema([
            ("type", "object"), ("required", .strings(required)),
            ("additionalProperties", others?.value ?? .bool(false)),
            ("properties", .object(fields.map { ($0.name, $0.schema.value) })),
        ])
    }

    /// The schema of this name among the document's components.
    package static func reference(to name: String) -> JSONSchema {
        JSONSchema([("$ref", .string("#/components/schemas/\(name)"))])
    }

    /// The same, or null.
    package var nullable: JSONSchema {
        JSONSchema(members.map { name, value in (name, name == "type" ? [value, "null"] : value) })
    }

    package func described(_ text: String) -> JSONSchema {
        JSONSchema(members + [("description", .string(text))])
    }
}
