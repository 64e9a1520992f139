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
