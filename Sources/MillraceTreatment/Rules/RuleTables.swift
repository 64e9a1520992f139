internal import CMillrace

/// Gathers what `mr_rules_create` is given.
struct RuleTables {
    private(set) var schemas = SchemaTables()
    private(set) var errors: [RulesError] = []
    private var rules: [mr_rule] = []
    private var typeNames: [(text: Range<Int>, isPrefix: Bool)] = []
    private var tenants: [Int32] = []
    /// Rules with one text of a schema share it.
    private var compiled: [[UInt8]: Int32] = [:]

    mutating func add(_ definition: RuleDefinition) {
        var rule = mr_rule()
        rule.kind = UInt8(definition.lines == .events ? MR_KIND_EVENT : MR_KIND_CONVERSATION)
        rule.types = add(types: definition.eventTypes)
        rule.tenants = mr_slice(first: UInt32(tenants.count), count: UInt32(definition.tenants.count))
        tenants += definition.tenants
        rule.has_allowed = definition.allow != nil
        rule.allowed = add(types: definition.allow ?? [])
        rule.denied = add(types: definition.deny)
        if let sample = definition.sample, sample < 1 { rule.sample_below = max(1, UInt64(sample * 0x1p64)) }
        rule.sample_by = UInt8(definition.sampleBy == .id ? MR_SAMPLE_BY_ID : MR_SAMPLE_BY_USER)
        rule.schema = Int32(MR_NONE)
        if let schema = definition.schema {
            rule.is_of_line = schema.isOfLine
            do throws(SchemaError) {
                let index =
                    if let shared = compiled[schema.text] { shared } else {
                        try SchemaCompiler.compile(schema.text, into: &schemas)
                    }
                compiled[schema.text] = index
                rule.schema = index
            } catch {
                errors.append(
                    RulesError(
                        code: error.code, file: schema.file, line: schema.line + error.line - 1, key: schema.key,
                        pointer: error.code == .invalidSyntax ? nil : error.pointer, message: error.message))
            }
        }
        rules.append(rule)
    }

    private mutating func add(types: [String]) -> mr_slice {
        let slice = mr_slice(first: UInt32(typeNames.count), count: UInt32(types.count))
        for type in types {
            let isPrefix = type.hasSuffix(".*")
            typeNames.append((schemas.add(bytes: isPrefix ? type.utf8.dropLast() : type.utf8[...]), isPrefix))
        }
        return slice
    }

    /// Nil where there is no memory.
    func make() -> OpaquePointer? {
        guard let made = mr_rules_create() else { return nil }
        guard fill(made), mr_rules_finish(made) else {
            mr_rules_destroy(made)
            return nil
        }
        return made
    }

    private func fill(_ made: OpaquePointer) -> Bool {
        schemas.bytes.withUnsafeBufferPointer { bytes in
            func text(_ range: Range<Int>) -> mr_text {
                mr_text(bytes: bytes.baseAddress.map { $0 + range.lowerBound }, length: range.count)
            }
            func add(_ name: Range<Int>, _ property: mr_schema_property) -> Bool {
                var property = property
                property.name = text(name)
                return mr_rules_add_property(made, property)
            }
            return typeNames.allSatisfy { name, isPrefix in
                mr_rules_add_type_name(made, mr_type_name(text: text(name), is_prefix: isPrefix))
            }
                && tenants.allSatisfy { mr_rules_add_tenant(made, $0) }
                && schemas.properties.allSatisfy(add)
                && schemas.patternProperties.allSatisfy { mr_rules_add_pattern_property(made, $0) }
                && schemas.dependencies.allSatisfy { mr_rules_add_dependency(made, $0) }
                && schemas.children.allSatisfy { mr_rules_add_child(made, $0) }
                && schemas.texts.allSatisfy { mr_rules_add_text(made, text($0)) }
                && schemas.patterns.allSatisfy { pattern in
                    mr_rules_add_pattern(
                        made, pattern.classes, pattern.classCount, pattern.next, pattern.states, pattern.states.count)
                }
                && schemas.schemas.allSatisfy { schema in
                    withUnsafePointer(to: schema) { mr_rules_add_schema(made, $0) }
                }
                && rules.allSatisfy { rule in withUnsafePointer(to: rule) { mr_rules_add_rule(made, $0) } }
        }
    }
}
