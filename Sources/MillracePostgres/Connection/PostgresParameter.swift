/// The value of one `$n` in a statement.
package enum PostgresParameter: Sendable, Hashable, ExpressibleByStringLiteral {
    /// As the type's input function reads it; the server infers the type from the statement.
    case text(String)
    /// As the type's receive function reads it, network byte order; `type` is the type's OID, 0 to infer.
    case binary([UInt8], type: UInt32 = 0)

    package init(stringLiteral value: String) {
        self = .text(value)
    }

    package static func integer(_ value: some BinaryInteger) -> PostgresParameter {
        .text(String(value))
    }
}
