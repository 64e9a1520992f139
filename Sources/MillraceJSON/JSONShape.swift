/// A value that can be written as JSON, and described by a schema.
package protocol JSONWritable: Sendable {
    static var schema: JSONSchema { get }
    func write(to json: inout JSONWriter)
}

/// An object that is written and described by one list of its fields, so that none can stand in one and miss in the other.
package protocol JSONShape: JSONWritable {
    /// Of its schema in `/openapi.json`, where it is an answer.
    static var name: String { get }
    /// In the order in which they are written.
    static var fields: [JSONField<Self>] { get }
}

/// A string out of a closed set.
package protocol JSONChoice: JSONWritable, RawRepresentable, CaseIterable where RawValue == String {}

/// A field of `Shape`: its name, its schema, and how its value is written.
package struct JSONField<Shape>: Sendable {
    fileprivate let name: String?
    fileprivate let schema: JSONSchema
    fileprivate let isRequired: Bool
    fileprivate let write: @Sendable (Shape, inout JSONWriter) -> Void

    private init(
        _ name: String?, _ schema: JSONSchema, isRequired: Bool, _ doc: String?,
        write: @escaping @Sendable (Shape, inout JSONWriter) -> Void
    ) {
        self.name = name
        self.schema = doc.map { schema.described($0) } ?? schema
        self.isRequired = isRequired
        self.write = write
    }

    /// A field that is always there; null where its value is nil. `schema`: where it says more than the value's type.
    package init<Value: JSONWritable>(
        _ name: String, _ value: @escaping @Sendable (Shape) -> Value, as schema: JSONSchema = Value.schema,
        doc: String? = nil
    ) {
        let key = JSONString.literal(name) + [UInt8(ascii: ":")]
        self.init(name, schema, isRequired: true, doc) { shape, json in
            json.append(key: key)
            value(shape).write(to: &json)
        }
    }

    /// A field that is left out where there is no value.
    package init<Value: JSONWritable>(
        _ name: String, optional value: @escaping @Sendable (Shape) -> Value?, as schema: JSONSchema = Value.schema,
        doc: String? = nil
    ) {
        let key = JSONString.literal(name) + [UInt8(ascii: ":")]
        self.init(name, schema, isRequired: false, doc) { shape, json in
            guard let value = value(shape) else { return }
            json.append(key: key)
            value.write(to: &json)
        }
    }

    /// The same field of a value that is a part of `Outer`.
    package func of<Outer>(_ part: @escaping @Sendable (Outer) -> Shape) -> JSONField<Outer> {
        JSONField<Outer>(name, schema, isRequired: isRequired, nil) { outer, json in write(part(outer), &json) }
    }

    /// Fields whose names are not known before; each is written with its name.
    package static func others(
        _ schema: JSONSchema, doc: String, write: @escaping @Sendable (Shape, inout JSONWriter) -> Void
    ) -> JSONField {
        JSONField(nil, schema, isRequired: false, doc, write: write)
    }
}

extension JSONShape {
    package static var name: String { String(describing: Self.self) }

    package static var schema: JSONSchema {
        let fields = fields
        return .object(
            fields.compactMap { field in field.name.map { ($0, field.schema) } },
            required: fields.filter(\.isRequired).compactMap(\.name), others: fields.first { $0.name == nil }?.schema)
    }

    /// The fields in their order, as one object.
    package func write(to json: inout JSONWriter) {
        json.append(raw: "{")
        let fields = Self.fields
        for field in fields { field.write(self, &json) }
        json.append(raw: "}")
    }
}

extension JSONWritable {
    /// The whole text.
    package var json: [UInt8] {
        var json = JSONWriter()
        write(to: &json)
        return json.bytes
    }
}

extension JSONChoice {
    package static var schema: JSONSchema { .choice(allCases.map(\.rawValue)) }
    /// The raw value as a string.
    package func write(to json: inout JSONWriter) { json.append(rawValue) }
}

extension String: JSONWritable {
    package static var schema: JSONSchema { .text }
    /// A string literal, with what JSON wants escaped.
    package func write(to json: inout JSONWriter) { json.append(self) }
}

extension Int: JSONWritable {
    package static var schema: JSONSchema { .integer }
    /// A decimal number.
    package func write(to json: inout JSONWriter) { json.append(self) }
}

extension Bool: JSONWritable {
    package static var schema: JSONSchema { .boolean }
    /// `true` or `false`.
    package func write(to json: inout JSONWriter) { json.append(self) }
}

extension Optional: JSONWritable where Wrapped: JSONWritable {
    package static var schema: JSONSchema { Wrapped.schema.nullable }

    /// The value, or `null`.
    package func write(to json: inout JSONWriter) {
        if let self { self.write(to: &json) } else { json.append(raw: "null") }
    }
}

extension Array: JSONWritable where Element: JSONWritable {
    package static var schema: JSONSchema { .array(of: Element.schema) }

    /// An array of the elements in their order.
    package func write(to json: inout JSONWriter) {
        json.append(raw: "[")
        for element in self {
            json.separate()
            element.write(to: &json)
        }
        json.append(raw: "]")
    }
}

extension Double: JSONWritable {
    package static var schema: JSONSchema { .number }
    /// The shortest decimal number that is this one; 0 for what JSON has no number for.
    package func write(to json: inout JSONWriter) {
        json.append(raw: (isFinite ? "\(self)" : "0").utf8)
    }
}
