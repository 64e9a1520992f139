/// What `[fields]` puts in the place of a value.
package enum TreatedValue {
    static let maskText = "***"
    static let hashPrefix = "sha256"

    /// Whether the text looks like one: encrypted, hashed or masked.
    package static func isOne(_ text: [UInt8]) -> Bool {
        text.starts(with: SealedValue.prefix) || text.starts(with: "\(hashPrefix).".utf8)
            || text.starts(with: maskText.utf8)
    }
}
