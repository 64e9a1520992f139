internal import FoundationEssentials

/// Who a request says that sends it, by its fields `Authorization`.
///
/// | field | credentials |
/// | --- | --- |
/// | none | `none` |
/// | `Bearer mr_…` | `key` |
/// | `Basic` of base64 `mr_…:` (the key as user, an empty password) | `key` |
/// | `Bearer` and anything else | `token` |
/// | another scheme, a password, base64 that is none, several fields | `unusable` |
package enum Credentials: Sendable, Equatable {
    case none
    /// A text that begins as keys do.
    case key(String)
    /// What may be a JSON Web Token.
    case token(String)
    /// Something that opens nothing.
    case unusable

    /// Of `Basic`, base64 included: more holds no key.
    private static let basicBytesMax = 256

    /// `fields`: the values of all fields `Authorization`, as they came.
    package init(authorization fields: [String]) {
        guard let field = fields.first else {
            self = .none
            return
        }
        guard fields.count == 1, let space = field.firstIndex(of: " ") else {
            self = .unusable
            return
        }
        var value = field[space...].drop { $0 == " " }
        while value.last == " " { value.removeLast() }
        switch field[..<space].lowercased() {
        case "bearer" where !value.isEmpty:
            self = AccessKey.isLikely(value) ? .key(String(value)) : .token(String(value))
        case "basic":
            self = Self.user(ofBasic: value).map { .key($0) } ?? .unusable
        default:
            self = .unusable
        }
    }

    /// The key of a TCP greeting.
    package init(greetingKey key: String?) {
        guard let key else {
            self = .none
            return
        }
        self = AccessKey.isLikely(key) ? .key(key) : .unusable
    }

    /// Nil unless it is a key with an empty password.
    private static func user(ofBasic value: Substring) -> String? {
        guard value.utf8.count <= basicBytesMax, let bytes = Data(base64Encoded: String(value)), bytes.last == 0x3A
        else { return nil }
        let user = String(decoding: bytes.dropLast(), as: UTF8.self)
        return AccessKey.isLikely(user) && !user.contains(":") ? user : nil
    }
}
