package import MillracePostgres
import MillraceSpool

/// `erasures.ndjson` of a backup: the erasures of users that the database knew, those that are done by salted hashes. A
/// backup that is restored may be older than some of them; the list of a newer one says which.
package enum ErasureList {
    static let fileName = "erasures.ndjson"
    /// With their hashes: the database's salt goes with it.
    private static let tables = ["erasures", "erasure_keys"]
    private static let bytesMax = 1 << 30

    /// Lines of `{"table":…,"row":…}`. In the transaction of the dump.
    static func write(to path: String, in directory: String, on connection: PostgresConnection) throws {
        guard try connection.hasRelation("public.erasures") else { return }
        var text = ""
        for table in tables {
            let rows = try connection.execute(
                "SELECT jsonb_build_object('table', '\(table)', 'row', to_jsonb(stored)) FROM public.\(table) AS stored",
                timeout: .seconds(600))
            for row in 0..<rows.rowCount { text += (rows.string(row, 0) ?? "") + "\n" }
        }
        try PosixFileSystem().writeFile(Array(text.utf8), to: path, in: directory)
    }

    /// Adds what `connection`'s database lacks of the lists of all whole backups that are of the same database as
    /// `manifest`. Returns the number of erasures that it did not know.
    package static func add(
        from store: BackupStore, asOf manifest: BackupManifest, on connection: PostgresConnection
    ) throws -> Int {
        guard try connection.hasRelation("public.erasures") else { return 0 }
        var added = 0
        for name in try store.names() {
            guard let other = try? store.manifest(of: name), other.database.databaseId == manifest.database.databaseId,
                other.begunAt > manifest.begunAt, other.files.contains(where: { $0.path == fileName }),
                let bytes = try PosixFileSystem().readFile("\(store.path(name))/\(fileName)", bytesMax: bytesMax)
            else { continue }
            for table in tables {
                let result = try connection.query(
                    """
                    WITH lines AS (
                        SELECT line::jsonb AS line
                        FROM regexp_split_to_table($1::text, E'\\n') AS line
                        WHERE line <> ''
                    )
                    INSERT INTO public.\(table)
                    SELECT stored.*
                    FROM lines
                    CROSS JOIN LATERAL jsonb_populate_record(NULL::public.\(table), line -> 'row') AS stored
                    WHERE line ->> 'table' = '\(table)'
                    ON CONFLICT DO NOTHING
                    """, parameters: [.text(String(decoding: bytes, as: UTF8.self))], timeout: .seconds(3600))
                if table == "erasures" { added += result.affectedRows }
            }
        }
        return added
    }
}
