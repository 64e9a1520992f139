internal import CLibPQ

/// The value of one `$n` in a statement.
package enum PostgresParameter: Sendable, Hashable, ExpressibleByStringLiteral {
    /// As the type's input function reads it; the server infers the type from the statement.
    case text(String)
    /// As the type's receive function reads it, network byte order; `type` is the type's OID, 0 to infer.
    case binary([UInt8], type: UInt32 = 0)

    package init(stringLiteral value: String) {
        self = .text(value)
    }

    /// A number's text, whose type the server infers.
    package static func integer(_ value: some BinaryInteger) -> PostgresParameter {
        .text(String(value))
    }

    /// An array's literal; nil is NULL.
    package static func array(_ values: [String?]) -> PostgresParameter { .text(literal(of: values)) }

    /// An array as PostgreSQL reads it; nil is NULL.
    package static func literal(of values: [String?]) -> String {
        let elements = values.map { value in
            guard let value else { return "NULL" }
            return "\"" + value.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"") + "\""
        }
        return "{" + elements.joined(separator: ",") + "}"
    }

    /// An array's literal of numbers.
    package static func array(_ values: [some BinaryInteger]) -> PostgresParameter {
        .text("{" + values.map { String($0) }.joined(separator: ",") + "}")
    }
}

/// A statement's values as libpq wants them.
struct BoundParameters {
    let types: [Oid]
    private let formats: [Int32]
    /// All values in one buffer, so that one pointer keeps all of them alive; each is ended by 0, as a text must be.
    private let bytes: [UInt8]
    /// In `bytes`; nil is NULL.
    private let offsets: [Int?]
    private let lengths: [Int32]

    var count: Int32 { Int32(types.count) }
    var byteCount: Int { bytes.count }

    init(_ parameters: [PostgresParameter?]) {
        types = parameters.map { parameter in
            if case .binary(_, let type) = parameter { type } else { 0 }
        }
        formats = parameters.map { parameter in
            if case .binary = parameter { 1 } else { 0 }
        }
        var bytes: [UInt8] = []
        var offsets: [Int?] = []
        var lengths: [Int32] = []
        for parameter in parameters {
            offsets.append(parameter == nil ? nil : bytes.count)
            let start = bytes.count
            switch parameter {
            case .text(let text): bytes.append(contentsOf: text.utf8)
            case .binary(let value, _): bytes.append(contentsOf: value)
            case nil: break
            }
            lengths.append(Int32(bytes.count - start))
            bytes.append(0)
        }
        self.bytes = bytes
        self.offsets = offsets
        self.lengths = lengths
    }

    /// The values, their lengths and formats (0: text, 1: binary); valid only within `body`.
    func withPointers<Answer>(
        _ body: (
            _ values: [UnsafePointer<CChar>?], _ lengths: [Int32], _ formats: [Int32]
        ) -> Answer
    ) -> Answer {
        bytes.withUnsafeBytes { buffer in
            let values = offsets.map { offset in
                offset.flatMap { buffer.baseAddress?.advanced(by: $0).assumingMemoryBound(to: CChar.self) }
            }
            return body(values, lengths, formats)
        }
    }
}
