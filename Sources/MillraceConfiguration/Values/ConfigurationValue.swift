/// A setting's value, once checked.
package enum ConfigurationValue: Sendable, Equatable {
    case bool(Bool)
    /// A number or a size in bytes.
    case integer(Int)
    case duration(Duration)
    case string(String)
    case list([String])
}
