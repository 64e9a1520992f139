internal import CMillrace

/// Keywords of any value, of texts and of numbers.
extension SchemaCompiler {
    private static let types: [String: (bits: Int, name: String)] = [
        "null": (MR_TYPE_NULL, "null"), "boolean": (MR_TYPE_BOOLEAN, "a boolean"),
        "object": (MR_TYPE_OBJECT, "an object"),
        "array": (MR_TYPE_ARRAY, "an array"), "string": (MR_TYPE_STRING, "a string"),
        "number": (MR_TYPE_NUMBER | MR_TYPE_INTEGER, "a number"), "integer": (MR_TYPE_INTEGER, "a whole number"),
    ]
    /// Of constants in a message.
    private static let shownMax = 5
    private static let shownBytesMax = 60
    /// A divisor with more of them is refused.
    private static let divisorDigitsMax = 18

    mutating func readType(_ value: Value, at pointer: String, into draft: inout SchemaDraft) throws(SchemaError) {
        let values: [Value]
        if case .array(let elements) = value.kind { values = elements } else { values = [value] }
        let wanted = "one of \(Self.types.keys.sorted().joined(separator: ", ")), or a list of them"
        guard !values.isEmpty else { throw wants(wanted, value, at: pointer) }
        var bits = 0
        var names: [String] = []
        for value in values {
            guard case .string(let name) = value.kind else { throw wants(wanted, value, at: pointer) }
            guard let type = Self.types[name] else {
                throw error(.invalidSchema, value, at: pointer, "\"\(name)\" is no type; \(wanted) is wanted")
            }
            bits |= type.bits
            names.append(type.name)
        }
        draft.isOpen = false
        draft.schema.types = UInt8(bits)
        draft.wants[.type] = "has to be \(names.joined(separator: " or "))"
    }

    mutating func readConstants(
        _ name: String, _ value: Value, at pointer: String, into draft: inout SchemaDraft
    ) throws(SchemaError) {
        var values = [value]
        if name == "enum" {
            guard case .array(let elements) = value.kind, !elements.isEmpty else {
                throw wants("a list of values", value, at: pointer)
            }
            values = elements
        }
        let slice = mr_slice(first: UInt32(tables.texts.count), count: UInt32(values.count))
        for value in values { _ = tables.add(text: value.text) }
        var shown = values.prefix(Self.shownMax).map { value in
            value.text.count > Self.shownBytesMax ? "…" : String(decoding: value.text, as: UTF8.self)
        }
        if values.count > Self.shownMax { shown.append("…") }
        let wants = values.count == 1 ? "has to be \(shown[0])" : "has to be one of \(shown.joined(separator: ", "))"
        guard draft.schema.has_constants else {
            draft.isOpen = false
            draft.schema.has_constants = true
            draft.schema.constants = slice
            draft.wants[.enumeration] = wants
            return
        }
        // enum and const together.
        var both = SchemaTables.open
        both.has_constants = true
        both.constants = slice
        draft.allOf.append(tables.add(both, wants: [.enumeration: wants]))
    }

    mutating func readText(
        _ name: String, _ value: Value, at pointer: String, into draft: inout SchemaDraft
    ) throws(SchemaError) {
        draft.isOpen = false
        if name != "pattern" {
            let count = try count(value, at: pointer)
            if name == "minLength" {
                draft.schema.min_length = count
                draft.wants[.minLength] = "has to have at least \(Self.counted(count, "character"))"
            } else {
                draft.schema.max_length = count
                draft.wants[.maxLength] = "has to have at most \(Self.counted(count, "character"))"
            }
            return
        }
        guard case .string(let pattern) = value.kind else { throw wants("a regular expression", value, at: pointer) }
        draft.schema.pattern = Int32(try machine(pattern, value, at: pointer))
        draft.wants[.pattern] = "has to match \(pattern)"
    }

    /// The number of the pattern's machine.
    mutating func machine(_ pattern: String, _ value: Value, at pointer: String) throws(SchemaError) -> Int {
        do throws(PatternError) {
            return try tables.add(pattern: pattern)
        } catch {
            let place = error.place.map { " at character \($0)" } ?? ""
            throw self.error(
                .invalidSchema, value, at: pointer, "the regular expression \(pattern)\(place): \(error.message)")
        }
    }

    mutating func readNumber(
        _ name: String, _ value: Value, at pointer: String, into draft: inout SchemaDraft
    ) throws(SchemaError) {
        guard case .number = value.kind else { throw wants("a number", value, at: pointer) }
        let text = String(decoding: value.text, as: UTF8.self)
        draft.isOpen = false
        let number = tables.add(text: value.text)
        switch name {
        case "minimum":
            draft.schema.minimum = number
            draft.wants[.minimum] = "has to be at least \(text)"
        case "maximum":
            draft.schema.maximum = number
            draft.wants[.maximum] = "has to be at most \(text)"
        case "exclusiveMinimum":
            draft.schema.exclusive_minimum = number
            draft.wants[.exclusiveMinimum] = "has to be above \(text)"
        case "exclusiveMaximum":
            draft.schema.exclusive_maximum = number
            draft.wants[.exclusiveMaximum] = "has to be below \(text)"
        default:
            // Digits behind leading zeros and before the exponent.
            let digits = text.prefix { $0 != "e" && $0 != "E" }.filter(\.isNumber).drop { $0 == "0" }
            guard !text.hasPrefix("-"), (1...Self.divisorDigitsMax).contains(digits.count) else {
                throw wants("a number above 0 of at most \(Self.divisorDigitsMax) digits", value, at: pointer)
            }
            draft.schema.multiple_of = number
            draft.wants[.multipleOf] = "has to be a multiple of \(text)"
        }
    }

    /// A whole number from 0 on, also as 2.0; at most what is looked at.
    func count(_ value: Value, at pointer: String) throws(SchemaError) -> UInt32 {
        guard case .number = value.kind, let number = Double(String(decoding: value.text, as: UTF8.self)), number >= 0,
            number == number.rounded()
        else { throw wants("a whole number from 0 on", value, at: pointer) }
        return number >= Double(UInt32.max) ? .max : UInt32(number)
    }

    static func counted(_ count: UInt32, _ noun: String) -> String { "\(count) \(noun)\(count == 1 ? "" : "s")" }
}
