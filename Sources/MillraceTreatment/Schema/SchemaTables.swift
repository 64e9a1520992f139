internal import CMillrace

/// What `mr_rules_create` is given, with texts as places in one run of bytes.
struct SchemaTables {
    private(set) var bytes: [UInt8] = []
    private(set) var schemas: [mr_schema] = []
    /// What is said of a value that does not fit, by keyword; of each of `schemas`.
    private(set) var wants: [[SchemaKeyword: String]] = []
    private(set) var properties: [(name: Range<Int>, value: mr_schema_property)] = []
    private(set) var patternProperties: [mr_schema_pattern_property] = []
    private(set) var dependencies: [mr_schema_dependency] = []
    private(set) var children: [Int32] = []
    private(set) var texts: [Range<Int>] = []
    private(set) var patterns: [PatternMachine] = []
    private var patternNumbers: [String: Int] = [:]

    /// A schema that everything fits.
    static var open: mr_schema {
        let none = Int32(MR_NONE)
        let empty = mr_slice(first: 0, count: 0)
        return mr_schema(
            types: UInt8(MR_TYPE_ANY), has_constants: false, wants_unique_items: false, constants: empty,
            min_length: 0, max_length: .max, pattern: none, minimum: none, maximum: none, exclusive_minimum: none,
            exclusive_maximum: none, multiple_of: none, properties: empty, pattern_properties: empty,
            dependencies: empty, additional_properties: none, property_names: none, min_properties: 0,
            max_properties: .max, prefix_items: empty, items: none, min_items: 0, max_items: .max, contains: none,
            min_contains: 1, max_contains: .max, all_of: empty, any_of: empty, one_of: empty, not_schema: none,
            if_schema: none, then_schema: none, else_schema: none)
    }

    mutating func add(_ schema: mr_schema, wants: [SchemaKeyword: String]) -> Int32 {
        schemas.append(schema)
        self.wants.append(wants)
        return Int32(schemas.count - 1)
    }

    /// A place for bytes; the same ones are not looked for.
    mutating func add(bytes new: some Collection<UInt8>) -> Range<Int> {
        let start = bytes.count
        bytes += new
        return start..<bytes.count
    }

    /// A JSON text.
    mutating func add(text: ArraySlice<UInt8>) -> Int32 {
        texts.append(add(bytes: text))
        return Int32(texts.count - 1)
    }

    mutating func add(children new: [Int32]) -> mr_slice {
        defer { children += new }
        return mr_slice(first: UInt32(children.count), count: UInt32(new.count))
    }

    mutating func add(properties new: [(name: [UInt8], value: mr_schema_property)]) -> mr_slice {
        let slice = mr_slice(first: UInt32(properties.count), count: UInt32(new.count))
        for (name, value) in new { properties.append((add(bytes: name), value)) }
        return slice
    }

    mutating func add(patternProperties new: [mr_schema_pattern_property]) -> mr_slice {
        defer { patternProperties += new }
        return mr_slice(first: UInt32(patternProperties.count), count: UInt32(new.count))
    }

    mutating func add(dependencies new: [mr_schema_dependency]) -> mr_slice {
        defer { dependencies += new }
        return mr_slice(first: UInt32(dependencies.count), count: UInt32(new.count))
    }

    /// The same pattern has one machine.
    mutating func add(pattern: String) throws(PatternError) -> Int {
        if let number = patternNumbers[pattern] { return number }
        patterns.append(try PatternMachine(pattern))
        patternNumbers[pattern] = patterns.count - 1
        return patterns.count - 1
    }
}
