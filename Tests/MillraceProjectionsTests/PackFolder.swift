import FoundationEssentials
import MillraceEvent
import MillracePostgres
import MillraceTestSupport
import Testing

/// A pack's folder in the repository, as a reader of it finds it.
struct PackFolder: CustomTestStringConvertible {
    static let all = ["analytics", "casework", "commerce", "conversations", "product", "workspaces"].map(
        PackFolder.init)

    let name: String

    var testDescription: String { name }

    func text(_ file: String) throws -> String {
        let root = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
        return String(
            decoding: try Data(contentsOf: URL(filePath: "/\(root)/sql/packs/\(name)/\(file)")), as: UTF8.self)
    }

    /// Makes the pack's tables in `schema`, as the engine does.
    func install(in schema: String = "projections", on connection: PostgresConnection) throws {
        try connection.execute(
            """
            BEGIN;
            CREATE SCHEMA IF NOT EXISTS \(schema);
            SET LOCAL search_path = \(schema), pg_catalog, public;
            \(try text("up.sql"))
            COMMIT
            """)
    }

    func remove(from schema: String, on connection: PostgresConnection) throws {
        try connection.execute(
            """
            BEGIN;
            SET LOCAL search_path = \(schema), pg_catalog, public;
            \(try text("down.sql"))
            COMMIT
            """)
    }

    /// The lines in the ```json fences of EVENTS.md.
    func examples() throws -> [String] {
        var isInside = false
        var lines: [String] = []
        for line in try text("EVENTS.md").split(separator: "\n") {
            if line.hasPrefix("```") {
                isInside = line == "```json"
            } else if isInside {
                lines.append(String(line))
            }
        }
        return lines
    }

    func seeds() throws -> [String] {
        try text("seed.ndjson").split(separator: "\n").map(String.init)
    }
}

extension EventParser {
    /// As the intake takes a line that was received on the day of the examples.
    func parse(example line: String) throws(Refusal) -> ParsedLine {
        var bytes = Array(line.utf8)
        let count = bytes.count
        bytes.append(contentsOf: repeatElement(0, count: Self.paddingBytes))
        // 2026-11-21T12:00:00Z
        let receivedAt = Timestamp(microseconds: 1_795_262_400_000_000)
        let outcome = bytes.withUnsafeBytes { bytes in
            Result { () throws(Refusal) in
                try parse(
                    UnsafeRawBufferPointer(rebasing: bytes[..<count]), limits: EventLimits(), receivedAt: receivedAt)
            }
        }
        return try outcome.get()
    }
}
