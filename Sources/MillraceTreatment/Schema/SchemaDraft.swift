internal import CMillrace

/// One schema while its keywords are read.
struct SchemaDraft {
    var schema = SchemaTables.open
    var wants: [SchemaKeyword: String] = [:]
    var allOf: [Int32] = []
    private(set) var properties: [(name: [UInt8], value: mr_schema_property)] = []
    private var places: [[UInt8]: Int] = [:]
    var dependencies: [mr_schema_dependency] = []
    /// A keyword that says something was read, other than references and allOf.
    var isOpen = true

    /// The place of a property of this name among the schema's; it is made where there is none.
    mutating func place(of name: String) -> Int {
        let name = Array(name.utf8)
        if let place = places[name] { return place }
        let property = mr_schema_property(
            name: mr_text(bytes: nil, length: 0), schema: Int32(MR_NONE), is_required: false, is_declared: false)
        properties.append((name, property))
        places[name] = properties.count - 1
        return properties.count - 1
    }

    mutating func declare(_ name: String, _ schema: Int32) {
        let place = place(of: name)
        properties[place].value.schema = schema
        properties[place].value.is_declared = true
    }

    mutating func require(_ name: String) {
        properties[place(of: name)].value.is_required = true
    }

    mutating func finish(_ tables: inout SchemaTables) -> Int32 {
        schema.properties = tables.add(properties: properties)
        schema.dependencies = tables.add(dependencies: dependencies)
        schema.all_of = tables.add(children: allOf)
        return tables.add(schema, wants: wants)
    }
}
