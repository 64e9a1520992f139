internal import MillracePostgres

/// A one-dimensional array as PostgreSQL's array_recv reads it.
///
/// ```
/// offset  size  field
///      0     4  dimensions, 1
///      4     4  1: there may be nulls
///      8     4  OID of the element's type
///     12     4  count
///     16     4  lower bound, 1
///     20        elements, each its length in bytes (-1: null) as int4, then the bytes
/// ```
struct BinaryArray {
    private let element: ArrayElement
    private var bytes: [UInt8]
    private var count: Int32 = 0

    init(_ element: ArrayElement) {
        self.element = element
        bytes = []
        append(Int32(1))
        append(Int32(1))
        append(Int32(bitPattern: element.oids.element))
        append(Int32(0))
        append(Int32(1))
    }

    /// An element with its length in front, as rows of COPY have it.
    mutating func append(field: UnsafeRawBufferPointer) {
        count += 1
        bytes.append(contentsOf: field)
    }

    mutating func append(_ value: UnsafeRawBufferPointer) {
        count += 1
        append(Int32(value.count))
        bytes.append(contentsOf: value)
    }

    /// Null for nil.
    mutating func append(_ text: String?) {
        guard let text else {
            count += 1
            return append(Int32(-1))
        }
        var contiguous = text
        contiguous.withUTF8 { append(UnsafeRawBufferPointer($0)) }
    }

    mutating func append(integer value: some FixedWidthInteger) {
        withUnsafeBytes(of: value.bigEndian) { append($0) }
    }

    var parameter: PostgresParameter {
        var bytes = bytes
        withUnsafeBytes(of: count.bigEndian) { bytes.replaceSubrange(12..<16, with: $0) }
        return .binary(bytes, type: element.oids.array)
    }

    private mutating func append(_ value: Int32) {
        withUnsafeBytes(of: value.bigEndian) { bytes.append(contentsOf: $0) }
    }
}

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
