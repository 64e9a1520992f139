internal import CMillrace
internal import MillraceTOML

/// Compiles one JSON Schema (2020-12) into the tables of a rule set. What of JSON Schema is not supported is refused, as is
/// what can never be meant. Throws `SchemaError`.
struct SchemaCompiler {
    typealias Value = JSONDocument.Value

    /// Keywords that say nothing of values; whatever begins with `x-` is one too.
    static let annotations: Set<String> = [
        "$schema", "$id", "$comment", "$defs", "title", "description", "default", "examples", "deprecated", "readOnly",
        "writeOnly",
    ]
    static let dialect = "https://json-schema.org/draft/2020-12/schema"
    /// Of how many schemas one value, with all that is in it, is held against at most; each reference counts again.
    static let weightMax = 10_000
    /// Schemas inside each other, by references too.
    static let depthMax = 64

    let root: Value
    var tables: SchemaTables
    /// By pointer: the schema's number, and its weight.
    private var compiled: [String: (schema: Int32, weight: Int)] = [:]
    /// Pointers of those that are being compiled.
    private var open: Set<String> = []
    private var weight = 0

    private init(_ root: Value, _ tables: SchemaTables) {
        self.root = root
        self.tables = tables
    }

    /// Adds the schema to `tables`, and returns its number, or `MR_NONE` where everything fits.
    static func compile(_ text: [UInt8], into tables: inout SchemaTables) throws(SchemaError) -> Int32 {
        var compiler = SchemaCompiler(try JSONDocument.parse(text), tables)
        let schema = try compiler.schema(compiler.root, at: "")
        tables = compiler.tables
        return schema
    }

    func error(_ code: RulesError.Code, _ value: Value, at pointer: String, _ message: String) -> SchemaError {
        SchemaError(code: code, pointer: pointer, line: value.line, message: message)
    }

    /// The number of the schema `value`.
    mutating func schema(_ value: Value, at pointer: String) throws(SchemaError) -> Int32 {
        if let known = compiled[pointer] {
            try add(known.weight, value, at: pointer)
            return known.schema
        }
        switch value.kind {
        case .bool(true): return Int32(MR_NONE)
        case .bool(false):
            var schema = SchemaTables.open
            schema.types = 0
            return tables.add(schema, wants: [.never: "must not be there"])
        case .object(let members):
            guard open.insert(pointer).inserted else {
                throw error(
                    .unsupportedKeyword, value, at: pointer, "a schema that refers to itself is not supported")
            }
            guard open.count <= Self.depthMax else {
                throw error(
                    .tooLarge, value, at: pointer, "more than \(Self.depthMax) schemas inside each other")
            }
            let before = weight
            try add(1, value, at: pointer)
            let number = try schema(members, value, at: pointer)
            open.remove(pointer)
            compiled[pointer] = (number, weight - before)
            return number
        default:
            throw error(
                .invalidSchema, value, at: pointer, "is \(value.name); a schema is an object, true or false")
        }
    }

    private mutating func add(_ more: Int, _ value: Value, at pointer: String) throws(SchemaError) {
        weight += more
        guard weight <= Self.weightMax else {
            throw error(
                .tooLarge, value, at: pointer,
                "the schema holds a value against more than \(Self.weightMax) schemas, each reference counted again")
        }
    }

    private mutating func schema(
        _ members: [(name: String, value: Value)], _ value: Value, at pointer: String
    ) throws(SchemaError) -> Int32 {
        var draft = SchemaDraft()
        for (name, member) in members {
            try read(name, member, of: value, at: Self.below(pointer, name), schemaAt: pointer, into: &draft)
        }
        try readContains(value, at: pointer, into: &draft)
        // A reference and nothing else.
        if draft.isOpen, draft.allOf.count == 1 { return draft.allOf[0] }
        if draft.isOpen, draft.allOf.isEmpty { return Int32(MR_NONE) }
        return draft.finish(&tables)
    }

    private mutating func read(
        _ name: String, _ value: Value, of parent: Value, at place: String, schemaAt pointer: String,
        into draft: inout SchemaDraft
    ) throws(SchemaError) {
        switch name {
        case "$schema":
            guard case .string(let dialect) = value.kind, dialect == Self.dialect || dialect == Self.dialect + "#"
            else {
                throw error(
                    .unsupportedKeyword, value, at: place, "only \(Self.dialect) is supported")
            }
        case "$id" where !pointer.isEmpty:
            throw error(.unsupportedKeyword, value, at: place, "$id is supported at the root only")
        case "$defs":
            guard case .object(let members) = value.kind else { throw wants("an object of schemas", value, at: place) }
            // They are looked at also where nothing refers to them; what does counts their weight.
            let before = weight
            for (name, value) in members { _ = try schema(value, at: Self.below(place, name)) }
            weight = before
        case _ where Self.annotations.contains(name) || name.hasPrefix("x-"): break
        case "$ref": draft.allOf.append(try reference(value, at: place))
        case "type": try readType(value, at: place, into: &draft)
        case "enum", "const": try readConstants(name, value, at: place, into: &draft)
        case "minLength", "maxLength", "pattern": try readText(name, value, at: place, into: &draft)
        case "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf":
            try readNumber(name, value, at: place, into: &draft)
        case "properties", "patternProperties", "additionalProperties", "propertyNames", "required", "minProperties",
            "maxProperties", "dependentRequired", "dependentSchemas":
            try readObject(name, value, at: place, into: &draft)
        case "prefixItems", "items", "minItems", "maxItems", "uniqueItems":
            try readArray(name, value, at: place, into: &draft)
        case "contains", "minContains", "maxContains": break
        case "allOf": draft.allOf += try schemas(value, at: place)
        case "anyOf":
            draft.isOpen = false
            draft.schema.any_of = tables.add(children: try schemas(value, at: place))
            draft.wants[.anyOf] = "has to fit one of the schemas in anyOf"
        case "oneOf":
            draft.isOpen = false
            draft.schema.one_of = tables.add(children: try schemas(value, at: place))
            draft.wants[.oneOf] = "has to fit exactly one of the schemas in oneOf"
        case "not":
            draft.isOpen = false
            draft.schema.not_schema = try certain(value, at: place)
            draft.wants[.not] = "must not fit the schema in not"
        case "if":
            draft.isOpen = false
            draft.schema.if_schema = try certain(value, at: place)
        case "then" where parent["if"] != nil: draft.schema.then_schema = try schema(value, at: place)
        case "else" where parent["if"] != nil: draft.schema.else_schema = try schema(value, at: place)
        case "then", "else": _ = try schema(value, at: place)
        default: throw unsupported(name, value, at: place)
        }
    }

    private func unsupported(_ name: String, _ value: Value, at place: String) -> SchemaError {
        let hint: String
        switch name {
        case "format": hint = "; it would check nothing, as JSON Schema has it: a pattern does"
        case "definitions": hint = "; 2020-12 has $defs in its place"
        case "dependencies": hint = "; 2020-12 has dependentRequired and dependentSchemas in its place"
        case "additionalItems": hint = "; 2020-12 has prefixItems and items in its place"
        case "unevaluatedProperties", "unevaluatedItems":
            hint = "; additionalProperties and items are, in a schema that names all members itself"
        case "$dynamicRef", "$dynamicAnchor", "$anchor", "$vocabulary", "contentEncoding", "contentMediaType",
            "contentSchema":
            hint = ""
        default:
            let nearest = EditDistance.nearest(to: name, among: Self.keywords) { $0 } ?? ""
            return error(
                .unsupportedKeyword, value, at: place,
                "\(name) is no keyword that is known; the nearest one is \(nearest)")
        }
        return error(.unsupportedKeyword, value, at: place, "the keyword \(name) is not supported\(hint)")
    }

    /// All that is supported.
    static let keywords =
        annotations.sorted() + [
            "$ref", "type", "enum", "const", "minLength", "maxLength", "pattern", "minimum", "maximum",
            "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "properties", "patternProperties",
            "additionalProperties", "propertyNames", "required", "minProperties", "maxProperties", "dependentRequired",
            "dependentSchemas", "prefixItems", "items", "minItems", "maxItems", "uniqueItems", "contains",
            "minContains", "maxContains", "allOf", "anyOf", "oneOf", "not", "if", "then", "else",
        ]

    // MARK: What the readers share

    func wants(_ what: String, _ value: Value, at pointer: String) -> SchemaError {
        error(.invalidSchema, value, at: pointer, "is \(value.name); \(what) is wanted")
    }

    static func below(_ pointer: String, _ name: String) -> String {
        var escaped = ""
        for character in name.unicodeScalars {
            switch character {
            case "~": escaped += "~0"
            case "/": escaped += "~1"
            default: escaped.unicodeScalars.append(character)
            }
        }
        return "\(pointer)/\(escaped)"
    }

    /// A schema that is one even where everything fits.
    mutating func certain(_ value: Value, at pointer: String) throws(SchemaError) -> Int32 {
        let number = try schema(value, at: pointer)
        return number == MR_NONE ? tables.add(SchemaTables.open, wants: [:]) : number
    }

    /// A list of schemas, at least one.
    mutating func schemas(_ value: Value, at pointer: String) throws(SchemaError) -> [Int32] {
        guard case .array(let elements) = value.kind, !elements.isEmpty else {
            throw wants("a list of schemas", value, at: pointer)
        }
        var numbers: [Int32] = []
        for (index, element) in elements.enumerated() {
            numbers.append(try certain(element, at: "\(pointer)/\(index)"))
        }
        return numbers
    }

    // MARK: References

    private mutating func reference(_ value: Value, at pointer: String) throws(SchemaError) -> Int32 {
        guard case .string(let reference) = value.kind else { throw wants("a string", value, at: pointer) }
        guard reference == "#" || reference.hasPrefix("#/"), let path = Self.decoded(reference.dropFirst()) else {
            throw error(
                .unsupportedKeyword, value, at: pointer,
                "\"\(reference)\" is not supported; a reference within the schema is wanted, as #/$defs/name")
        }
        var target = root
        for part in path.split(separator: "/", omittingEmptySubsequences: false).dropFirst() {
            let name = String(part).replacing("~1", with: "/").replacing("~0", with: "~")
            let next: Value? =
                switch target.kind {
                case .object: target[name]
                case .array(let elements): Int(name).flatMap { elements.indices.contains($0) ? elements[$0] : nil }
                default: nil
                }
            guard let next else {
                throw error(.invalidSchema, value, at: pointer, "\"\(reference)\" leads nowhere in this schema")
            }
            target = next
        }
        return try certain(target, at: path)
    }

    /// Without its percent signs.
    private static func decoded(_ text: some StringProtocol) -> String? {
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            guard let decoded = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16) else { return nil }
            bytes.append(decoded)
            rest = rest.dropFirst(2)
        }
        return String(validating: bytes, as: UTF8.self)
    }
}
