internal import MillracePostgres

/// How the database stores text. Lines are UTF-8, and jsonb takes an escape such as `\u00e9` only where it has the character.
struct DatabaseEncoding {
    var name: String

    var isUsable: Bool { name == "UTF8" }

    static func read(_ connection: PostgresConnection) throws(PostgresError) -> DatabaseEncoding {
        let answer = try connection.execute(
            "SELECT pg_encoding_to_char(encoding) FROM pg_catalog.pg_database WHERE datname = current_database()")
        return DatabaseEncoding(name: answer.string(0, 0) ?? "")
    }

    /// Throws unless Millrace can keep every event there.
    static func require(on connection: PostgresConnection) throws {
        let encoding = try read(connection)
        guard encoding.isUsable else {
            throw CommandError(
                "the database's encoding is \(encoding.name), and events are UTF-8",
                hint: "Make it anew: CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0")
        }
    }
}
