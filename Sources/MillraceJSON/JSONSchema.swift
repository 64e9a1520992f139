/// What OpenAPI says of a value: a schema of JSON Schema 2020-12.
package struct JSONSchema: Sendable, ExpressibleByDictionaryLiteral {
    private var members: [(String, JSONValue)]

    package var value: JSONValue { .object(members) }

    package static let text: JSONSchema = ["type": "string"]
    package static let boolean: JSONSchema = ["type": "boolean"]
    package static let integer: JSONSchema = ["type": "integer"]
    package static let number: JSONSchema = ["type": "number"]
    package static let uuid: JSONSchema = ["type": "string", "format": "uuid"]
    package static let time: JSONSchema = ["type": "string", "format": "date-time"]
    package static let anyObject: JSONSchema = ["type": "object"]
    /// What a column can hold that is no document.
    package static let scalar: JSONSchema = ["type": ["string", "number", "boolean", "null"]]

    package init(dictionaryLiteral elements: (String, JSONValue)...) {
        members = elements
    }

    /// A string of so many characters (Unicode code points).
    package static func text(lengths: ClosedRange<Int>) -> JSONSchema {
        ["type": "string", "minLength": .integer(lengths.lowerBound), "maxLength": .integer(lengths.upperBound)]
    }

    /// A whole number within `range`, its ends included.
    package static func integer(in range: ClosedRange<Int>) -> JSONSchema {
        ["type": "integer", "minimum": .integer(range.lowerBound), "maximum": .integer(range.upperBound)]
    }

    /// One of these strings.
    package static func choice(_ values: [String]) -> JSONSchema {
        ["type": "string", "enum": .strings(values)]
    }

    /// An array of any length, each element of it as `element` says.
    package static func array(of element: JSONSchema) -> JSONSchema {
        ["type": "array", "items": element.value]
    }

    /// - Parameter others: what further members may be; nil: there are none.
    package static func object(
        _ fields: [(name: String, schema: JSONSchema)], required: [String], others: JSONSchema? = nil
    ) -> JSONSchema {
        [
            "type": "object", "required": .strings(required), "additionalProperties": others?.value ?? .bool(false),
            "properties": .object(fields.map { ($0.name, $0.schema.value) }),
        ]
    }

    /// The schema of this name among the document's components.
    package static func reference(to name: String) -> JSONSchema {
        ["$ref": .string("#/components/schemas/\(name)")]
    }

    /// The same, or null.
    package var nullable: JSONSchema {
        var schema = self
        schema.members = members.map { name, value in (name, name == "type" ? [value, "null"] : value) }
        return schema
    }

    /// The same with a `description`, which must not be there yet.
    package func described(_ text: String) -> JSONSchema {
        var schema = self
        schema.members.append(("description", .string(text)))
        return schema
    }
}
