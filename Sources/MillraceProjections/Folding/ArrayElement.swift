/// A type whose values travel to PostgreSQL as binary arrays.
enum ArrayElement {
    case int4
    case int8
    case timestamptz
    case uuid
    case text
    case bytea

    /// As SQL names the array's type.
    var arrayName: String {
        switch self {
        case .int4: "int4[]"
        case .int8: "int8[]"
        case .timestamptz: "timestamptz[]"
        case .uuid: "uuid[]"
        case .text: "text[]"
        case .bytea: "bytea[]"
        }
    }

    /// `pg_type.oid` of the element and of the array; fixed by PostgreSQL.
    var oids: (element: UInt32, array: UInt32) {
        switch self {
        case .int4: (23, 1007)
        case .int8: (20, 1016)
        case .timestamptz: (1184, 1185)
        case .uuid: (2950, 2951)
        case .text: (25, 1009)
        case .bytea: (17, 1001)
        }
    }
}
