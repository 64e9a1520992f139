internal import MillracePostgres

/// How a column's values are written as JSON, by the OID of its type (pg_type.dat).
enum ColumnEncoding: Equatable {
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
    func write(_ value: UnsafeRawBufferPointer, to json: inout JSONWriter) {
        switch self {
        case .bool:
            if value.first == UInt8(ascii: "t") { json.append(raw: "true") } else { json.append(raw: "false") }
        case .number, .json:
            json.append(raw: value)
        case .float:
            let isFinite = value.allSatisfy { (0x2B...0x39).contains($0) || $0 == UInt8(ascii: "e") }
            if isFinite { json.append(raw: value) } else { json.append(string: value) }
        case .time:
            json.append(TimeText.rfc3339(String(decoding: value, as: UTF8.self)))
        case .string:
            json.append(string: value)
        }
    }
}
