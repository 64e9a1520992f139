internal import TOMLKit

/// A setting as someone wrote it, not checked yet.
enum WrittenValue {
    /// From the environment or a flag: a list is separated by commas.
    case text(String)
    case bool(Bool)
    case integer(Int)
    case string(String)
    case list([WrittenValue])
    case table
    case float(Double)
    case time(String)

    init(_ value: any TOMLValueConvertible) {
        self =
            switch value.type {
            case .bool: .bool(value.bool ?? false)
            case .int: .integer(value.int ?? 0)
            case .string: .string(value.string ?? "")
            case .array: .list(value.array.map { $0.map(WrittenValue.init) } ?? [])
            case .double: .float(value.double ?? 0)
            case .table: .table
            case .date, .time, .dateTime: .time(value.debugDescription)
            }
    }

    /// For a message: what was found.
    var found: String {
        switch self {
        case .text(let text): "\"\(text)\""
        case .bool(let bool): "the boolean \(bool)"
        case .integer(let integer): "the integer \(integer)"
        case .string(let string): "the string \"\(string)\""
        case .list: "a list"
        case .table: "a table"
        case .float(let float): "the number \(float)"
        case .time(let time): "the time \(time)"
        }
    }

    /// For a message about a secret: what was found, without its value.
    var foundKind: String {
        switch self {
        case .text: "text"
        case .bool: "a boolean"
        case .integer: "an integer"
        case .string: "a string"
        case .list: "a list"
        case .table: "a table"
        case .float: "a number"
        case .time: "a time"
        }
    }
}
