/// Names as columns spell them.
enum SnakeCase {
    /// `userId`, `UserID` and `user-id` are `user_id`; `isHTML` is `is_html`; what is in snake_case stays.
    static func from(_ name: String) -> String {
        let characters = Array(name.utf8)
        var out: [UInt8] = []
        for (index, byte) in characters.enumerated() {
            switch byte {
            case UInt8(ascii: "A")...UInt8(ascii: "Z"):
                let previous = index > 0 ? characters[index - 1] : UInt8(ascii: "_")
                let next = index + 1 < characters.count ? characters[index + 1] : UInt8(ascii: "_")
                let isWordStart = isLowerOrDigit(previous) || (isUpper(previous) && isLower(next))
                if isWordStart { out.append(UInt8(ascii: "_")) }
                out.append(byte | 0x20)
            case UInt8(ascii: "-"), UInt8(ascii: " "), UInt8(ascii: "."): out.append(UInt8(ascii: "_"))
            default: out.append(byte)
            }
        }
        return String(decoding: out, as: UTF8.self)
    }

    private static func isUpper(_ byte: UInt8) -> Bool { (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) }

    private static func isLower(_ byte: UInt8) -> Bool { (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) }

    private static func isLowerOrDigit(_ byte: UInt8) -> Bool {
        isLower(byte) || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
    }
}

/// Names of members that hold a secret, which never travels.
enum SecretName {
    private static let names: Set<String> = [
        "pwd", "secret", "client_secret", "totp_secret", "two_factor_secret", "mfa_secret", "api_key", "private_key",
        "access_token", "refresh_token", "reset_token", "remember_token", "session_token", "auth_token",
    ]

    /// `name` in snake_case.
    static func matches(_ name: String) -> Bool {
        name.contains("password") || name.contains("passwd") || names.contains(name)
    }
}
