internal import Crypto
internal import MillracePostgres

/// What cursors are signed with: secret, and the same for as long as cursors are to be of use.
package struct CursorKey: Sendable {
    /// Fewer could be guessed.
    package static let bytesMin = 16

    @Unprinted private var key: SymmetricKey

    /// Nil when there are fewer than `bytesMin`.
    package init?(_ bytes: [UInt8]) {
        guard bytes.count >= Self.bytesMin else { return nil }
        key = SymmetricKey(data: bytes)
    }

    /// One that no other process has.
    package init() {
        key = SymmetricKey(size: .bits256)
    }

    /// HMAC-SHA256, its first 16 bytes.
    func signature(of bytes: [UInt8]) -> [UInt8] {
        Array(HMAC<SHA256>.authenticationCode(for: bytes, using: key).prefix(16))
    }
}
