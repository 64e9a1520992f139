internal import MillraceJSON
internal import MillracePostgres
internal import NIOCore

/// Writes rows of a result as JSON objects, a member a column, in the order of the columns. In the buffer that is sent: a
/// page is not copied once more.
struct ResultRows {
    /// `"name":`, and a comma before it except the first.
    private let names: [[UInt8]]
    private let encodings: [ColumnEncoding]

    /// The first `count` columns; nil: all.
    init(_ result: borrowing PostgresResult, count: Int? = nil) {
        let columns = result.columns.prefix(count ?? result.columns.count)
        names = columns.enumerated().map { index, name in
            (index > 0 ? [UInt8(ascii: ",")] : []) + JSONString.literal(name) + [UInt8(ascii: ":")]
        }
        encodings = result.columnTypes.prefix(columns.count).map { ColumnEncoding(typeID: $0) }
    }

    /// Adds a row, after a comma unless it is the first.
    func write(_ row: Int, of result: borrowing PostgresResult, to rows: inout ByteBuffer) {
        if rows.readableBytes > 0 { rows.writeStaticString(",") }
        rows.writeStaticString("{")
        for column in names.indices {
            rows.writeBytes(names[column])
            result.withBytes(row, column) { value in
                if let value { encodings[column].write(value, to: &rows) } else { rows.writeStaticString("null") }
            }
        }
        rows.writeStaticString("}")
    }
}

/// How a column's values are written as JSON, by the OID of its type (pg_type.dat).
private enum ColumnEncoding {
    case bool
    /// Digits as they are: integers.
    case number
    /// A number, or a string when it is infinite or none.
    case float
    case json
    /// RFC 3339 in UTC.
    case time
    /// All others, `numeric` too: a JSON number would lose digits in most readers.
    case string

    init(typeID: UInt32) {
        switch typeID {
        case 16: self = .bool
        case 20, 21, 23, 26: self = .number
        case 700, 701: self = .float
        case 114, 3802: self = .json
        case 1184: self = .time
        default: self = .string
        }
    }

    /// The bytes are the value's text as PostgreSQL writes it, in ISO style and UTC.
    func write(_ value: UnsafeRawBufferPointer, to rows: inout ByteBuffer) {
        switch self {
        case .bool:
            rows.writeStaticString(value.first == UInt8(ascii: "t") ? "true" : "false")
        case .number, .json:
            rows.writeBytes(value)
        case .float:
            let isFinite = value.allSatisfy { (0x2B...0x39).contains($0) || $0 == UInt8(ascii: "e") }
            if isFinite { rows.writeBytes(value) } else { rows.writeJSON(value) }
        case .time:
            var text = TimeText.rfc3339(String(decoding: value, as: UTF8.self))
            text.withUTF8 { rows.writeJSON(UnsafeRawBufferPointer($0)) }
        case .string:
            rows.writeJSON(value)
        }
    }
}

extension ByteBuffer {
    /// A string of UTF-8.
    fileprivate mutating func writeJSON(_ text: UnsafeRawBufferPointer) {
        JSONString.pieces(of: text) { writeBytes($0) }
    }
}
