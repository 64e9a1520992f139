internal import CMillrace

/// Keywords of objects and arrays.
extension SchemaCompiler {
    /// Of names in a message.
    private static let shownMax = 10

    mutating func readObject(
        _ name: String, _ value: Value, at pointer: String, into draft: inout SchemaDraft
    ) throws(SchemaError) {
        draft.isOpen = false
        switch name {
        case "properties":
            let members = try members(value, at: pointer)
            for (name, member) in members {
                draft.declare(name, try schema(member, at: Self.below(pointer, name)))
            }
            let shown = members.prefix(Self.shownMax).map(\.name) + (members.count > Self.shownMax ? ["…"] : [])
            draft.wants[.additionalProperties] =
                shown.isEmpty
                ? "must not be there" : "must not be there; known are \(shown.joined(separator: ", "))"
        case "patternProperties":
            var wanted: [mr_schema_pattern_property] = []
            for (pattern, member) in try members(value, at: pointer) {
                let pointer = Self.below(pointer, pattern)
                let machine = try machine(pattern, member, at: pointer)
                wanted.append(
                    mr_schema_pattern_property(pattern: UInt32(machine), schema: try schema(member, at: pointer)))
            }
            draft.schema.pattern_properties = tables.add(patternProperties: wanted)
        case "additionalProperties":
            draft.schema.additional_properties = try schema(value, at: pointer)
            if draft.wants[.additionalProperties] == nil { draft.wants[.additionalProperties] = "must not be there" }
        case "propertyNames":
            draft.schema.property_names = try schema(value, at: pointer)
            draft.wants[.propertyNames] = "has a name that does not fit propertyNames"
        case "required":
            for name in try names(value, at: pointer) { draft.require(name) }
            draft.wants[.required] = "is missing"
        case "minProperties":
            draft.schema.min_properties = try count(value, at: pointer)
            draft.wants[.minProperties] =
                "has to have at least \(Self.counted(draft.schema.min_properties, "member"))"
        case "maxProperties":
            draft.schema.max_properties = try count(value, at: pointer)
            draft.wants[.maxProperties] = "has to have at most \(Self.counted(draft.schema.max_properties, "member"))"
        case "dependentRequired":
            for (name, others) in try members(value, at: pointer) {
                let place = draft.place(of: name)
                for other in try names(others, at: Self.below(pointer, name)) {
                    draft.dependencies.append(
                        mr_schema_dependency(
                            property: UInt32(place), other: Int32(draft.place(of: other)), schema: Int32(MR_NONE)))
                }
            }
            draft.wants[.dependentRequired] = "is missing, where another member (dependentRequired) is there"
        default:
            for (name, member) in try members(value, at: pointer) {
                let number = try schema(member, at: Self.below(pointer, name))
                draft.dependencies.append(
                    mr_schema_dependency(
                        property: UInt32(draft.place(of: name)), other: Int32(MR_NONE), schema: number))
            }
        }
    }

    mutating func readArray(
        _ name: String, _ value: Value, at pointer: String, into draft: inout SchemaDraft
    ) throws(SchemaError) {
        draft.isOpen = false
        switch name {
        case "prefixItems": draft.schema.prefix_items = tables.add(children: try schemas(value, at: pointer))
        case "items": draft.schema.items = try schema(value, at: pointer)
        case "minItems":
            draft.schema.min_items = try count(value, at: pointer)
            draft.wants[.minItems] = "has to have at least \(Self.counted(draft.schema.min_items, "item"))"
        case "maxItems":
            draft.schema.max_items = try count(value, at: pointer)
            draft.wants[.maxItems] = "has to have at most \(Self.counted(draft.schema.max_items, "item"))"
        default:
            guard case .bool(let isWanted) = value.kind else { throw wants("true or false", value, at: pointer) }
            draft.schema.wants_unique_items = isWanted
            draft.wants[.uniqueItems] = "must not have the same item twice"
        }
    }

    /// `contains` with its bounds, which say nothing without it.
    mutating func readContains(_ parent: Value, at pointer: String, into draft: inout SchemaDraft) throws(SchemaError) {
        var bounds: (min: UInt32, max: UInt32) = (1, .max)
        if let value = parent["minContains"] { bounds.min = try count(value, at: Self.below(pointer, "minContains")) }
        if let value = parent["maxContains"] { bounds.max = try count(value, at: Self.below(pointer, "maxContains")) }
        guard let value = parent["contains"] else { return }
        draft.isOpen = false
        draft.schema.contains = try certain(value, at: Self.below(pointer, "contains"))
        (draft.schema.min_contains, draft.schema.max_contains) = bounds
        let items = Self.counted(bounds.min, "item")
        draft.wants[.contains] = "has to have at least \(items) as contains has it"
        draft.wants[.maxContains] = "has to have at most \(bounds.max) such items as contains has it"
    }

    private func members(_ value: Value, at pointer: String) throws(SchemaError) -> [(name: String, value: Value)] {
        guard case .object(let members) = value.kind else { throw wants("an object", value, at: pointer) }
        return members
    }

    private func names(_ value: Value, at pointer: String) throws(SchemaError) -> [String] {
        guard case .array(let elements) = value.kind else { throw wants("a list of names", value, at: pointer) }
        var names: [String] = []
        for element in elements {
            guard case .string(let name) = element.kind else { throw wants("a list of names", value, at: pointer) }
            names.append(name)
        }
        return names
    }
}
