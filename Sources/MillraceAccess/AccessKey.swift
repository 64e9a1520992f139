internal import Crypto
internal import MillraceEvent

/// A key as its holder has it: `mr_<scope letter>_<id>_<secret><check>`, for example
/// `mr_w_0123456789ab_` and 49 more characters.
///
/// | part | characters | meaning |
/// | --- | ---: | --- |
/// | scope letter | 1 | `a` where admin is among the scopes, else `w`, `d` or `r`, the first that is |
/// | id | 12 | `0-9a-z`, random; names the key in logs, in the audit log and in `keys revoke` |
/// | secret | 43 | `0-9A-Za-z`, 256 random bits |
/// | check | 6 | CRC-32C of everything before it, in base 62, so that a scanner can tell a leaked key from chance |
///
/// Only SHA-256 of the secret is stored: 256 random bits can't be guessed, so that a slow hash would protect nothing.
package struct AccessKey: Sendable, Equatable {
    /// Length of a whole key, in bytes.
    package static let byteCount = 5 + idLength + 1 + secretLength + checkLength

    private static let idLength = 12
    private static let secretLength = 43
    private static let checkLength = 6
    private static let digits = Array("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz".utf8)

    package let id: String
    /// SHA-256 of the secret's characters, 32 bytes.
    package let secretHash: [UInt8]

    /// Makes a new one. `text` is the whole key, to be shown once and kept nowhere.
    package static func make(scopes: Set<AccessScope>) -> (key: AccessKey, text: String) {
        let letter = [AccessScope.admin, .write, .decrypt, .read].first { scopes.contains($0) } ?? .read
        let id = random(idLength, of: digits.filter { !(0x41...0x5A).contains($0) })
        let secret = random(secretLength, of: digits)
        let body = "mr_\(letter.letter)_\(id)_\(secret)"
        return (AccessKey(id: id, secretHash: hash(secret.utf8)), body + check(of: body.utf8))
    }

    private init(id: String, secretHash: [UInt8]) {
        self.id = id
        self.secretHash = secretHash
    }

    /// Nil for a text that no `make` made: another shape, or a check that does not fit.
    package init?(_ text: some StringProtocol) {
        let bytes = Array(text.utf8)
        guard bytes.count == Self.byteCount, bytes.starts(with: "mr_".utf8), bytes[4] == UInt8(ascii: "_"),
            AccessScope.allCases.contains(where: { $0.letter.asciiValue == bytes[3] }),
            bytes[5 + Self.idLength] == UInt8(ascii: "_")
        else { return nil }
        let body = bytes.dropLast(Self.checkLength)
        guard bytes.suffix(Self.checkLength).elementsEqual(Self.check(of: body).utf8) else { return nil }
        id = String(decoding: bytes[5..<5 + Self.idLength], as: UTF8.self)
        secretHash = Self.hash(body.suffix(Self.secretLength))
    }

    /// Whether a text begins as keys do, so that it is no JSON Web Token.
    package static func isLikely(_ text: some StringProtocol) -> Bool { text.hasPrefix("mr_") }

    /// In a time that does not depend on where they differ.
    package func hasSecret(of hash: [UInt8]) -> Bool {
        guard hash.count == secretHash.count else { return false }
        return zip(hash, secretHash).reduce(0 as UInt8) { $0 | ($1.0 ^ $1.1) } == 0
    }

    private static func hash(_ secret: some Collection<UInt8>) -> [UInt8] {
        Array(SHA256.hash(data: Array(secret)))
    }

    private static func check(of body: some Collection<UInt8>) -> String {
        var rest = Array(body).withUnsafeBytes { Checksum.crc32c($0) }
        var text: [UInt8] = []
        for _ in 0..<checkLength {
            text.append(digits[Int(rest % 62)])
            rest /= 62
        }
        return String(decoding: text.reversed(), as: UTF8.self)
    }

    private static func random(_ length: Int, of characters: [UInt8]) -> String {
        var generator = SystemRandomNumberGenerator()
        let text = (0..<length).map { _ in characters[Int.random(in: 0..<characters.count, using: &generator)] }
        return String(decoding: text, as: UTF8.self)
    }
}
