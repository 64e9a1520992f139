internal import MillraceConsole
internal import MillraceEvent
internal import MillraceJSON
internal import MillracePostgres

/// A user's password hash on its way into `public.password_hashes`. Never part of an event, and never printed.
struct PasswordHash: Equatable {
    /// The pack whose user it is.
    var pack: String
    /// As the users table has it.
    var userID: String
    var hash: String
    /// When the record was so.
    var savedAt: Timestamp

    private static let names: Set<String> = [
        "password", "password_hash", "hashed_password", "encrypted_password", "password_digest", "passwd",
    ]
    private static let lengthMax = 1024

    /// Whether a member of that name, in snake_case, may hold one.
    static func isName(_ name: String) -> Bool { names.contains(name) }

    /// Whether `text` is what some function for passwords writes: bcrypt, scrypt, Argon2, PBKDF2 or crypt(3), as Werkzeug,
    /// Django, passlib and the modular crypt format have them. Anything else may be a password itself.
    static func isHash(_ text: String) -> Bool {
        guard text.utf8.count <= lengthMax, text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else { return false }
        let parts = text.split(separator: "$", omittingEmptySubsequences: false)
        guard let method = parts.first else { return false }
        if method.isEmpty {
            guard parts.count >= 3, let last = parts.last else { return false }
            switch parts[1] {
            case "2", "2a", "2b", "2x", "2y": return parts.count == 4 && parts[2].count == 2 && last.count == 53
            case "1", "5", "6", "y", "gy", "7", "scrypt", "argon2i", "argon2d", "argon2id", "md5", "sha1":
                return parts.count >= 4 && last.count >= 20
            default: return parts[1].hasPrefix("pbkdf2") && parts.count == 5 && last.count >= 20
            }
        }
        let name = method.prefix { $0 != ":" }
        switch name {
        case "pbkdf2", "scrypt": return method != name && parts.count == 3 && parts[2].count >= 40
        case "pbkdf2_sha1", "pbkdf2_sha256", "pbkdf2_sha512": return parts.count == 4 && parts[3].count >= 20
        case "argon2", "bcrypt", "bcrypt_sha256": return parts.count >= 5 && (parts.last?.count ?? 0) >= 20
        default: return false
        }
    }

    /// Puts hashes of a tenant's users in; of one user's, the latest stays. Blocks.
    static func write(_ hashes: [PasswordHash], of tenant: Int32, on connection: PostgresConnection)
        throws(PostgresError)
    {
        try connection.transaction { () throws(PostgresError) in
            try connection.query(
                """
                INSERT INTO public.password_hashes AS kept (tenant_id, pack, user_id, hash, saved_at)
                SELECT DISTINCT ON (pack, user_id) $5::integer, new.*
                FROM unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[]) AS new (pack, user_id, hash, saved_at)
                ORDER BY pack, user_id, saved_at DESC, hash
                ON CONFLICT (tenant_id, pack, user_id) DO UPDATE
                SET hash = EXCLUDED.hash, saved_at = EXCLUDED.saved_at
                WHERE kept.saved_at <= EXCLUDED.saved_at
                """,
                parameters: [
                    .array(hashes.map(\.pack)), .array(hashes.map(\.userID)), .array(hashes.map(\.hash)),
                    .array(hashes.map(\.savedAt.rfc3339)), .integer(tenant),
                ])
            try AuditLog.record(
                .passwordHashesImport, "password_hashes",
                after: ["tenant": .integer(Int(tenant)), "users": .integer(hashes.count)], on: connection)
        }
    }
}
