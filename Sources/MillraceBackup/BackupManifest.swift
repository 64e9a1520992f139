internal import FoundationEssentials

/// `manifest.json` of a backup, the last file that is written: what it holds, and of what. Times are RFC 3339 in UTC.
package struct BackupManifest: Codable, Sendable, Equatable {
    package static let formatCurrent = 1
    package static let fileName = "manifest.json"
    /// `sha256sum`'s line for the manifest.
    package static let sumName = "manifest.json.sha256"

    package struct File: Codable, Sendable, Equatable {
        /// Below the backup's folder.
        package var path: String
        package var bytes: Int
        /// In hexadecimal.
        package var sha256: String
    }

    package struct Pack: Codable, Sendable, Equatable {
        package var name: String
        package var version: Int
    }

    /// What the ledger adds up to.
    package struct Ledger: Codable, Sendable, Equatable {
        package var batches = 0
        package var rows = 0
        package var duplicates = 0
        package var dead = 0
        package var refused = 0
    }

    /// One that the database knows.
    package struct KnownSpool: Codable, Sendable, Equatable {
        package var spoolId: String
        package var host: String
        /// In the ledger.
        package var lastSequence: Int
    }

    /// One that the tables name; a dump does not have them.
    package struct Role: Codable, Sendable, Equatable {
        package var name: String
        package var isLogin: Bool
        /// Something in the database belongs to it.
        package var isOwner: Bool
        /// Others of these roles.
        package var memberOf: [String]
        /// As `pg_roles.rolconfig`: `role=millrace_writer`.
        package var settings: [String]
    }

    package struct Database: Codable, Sendable, Equatable {
        package var name: String
        /// `server_version_num`
        package var serverVersion: Int
        package var systemIdentifier: String?
        package var timeline: Int?
        /// `millrace_database.id`
        package var databaseId: String?
        /// Of the tables' and indexes' files.
        package var bytes: Int
        /// Newest migration.
        package var migration: Int
        package var packs: [Pack]
        package var ledger: Ledger
        package var spools: [KnownSpool]
        package var roles: [Role]
        /// Where the log ended.
        package var position: String
        /// Of a base backup: the first file of the log that it needs.
        package var startSegment: String?

        package var serverMajor: Int { serverVersion / 10_000 }
    }

    package struct Segment: Codable, Sendable, Equatable {
        package var number: UInt64
        /// Sequence of the first line.
        package var first: UInt64
        /// After the last line.
        package var end: UInt64
        package var bytes: Int
    }

    /// Of the host that made the backup.
    package struct Spool: Codable, Sendable, Equatable {
        package var spoolId: String
        /// After the last line that was durable.
        package var end: UInt64
        package var segments: [Segment]
    }

    package var format = Self.formatCurrent
    package var kind: BackupName.Kind
    /// The version that made it.
    package var millrace: String
    package var host: String
    /// The database is as it was then, or a moment later.
    package var begunAt: String
    package var endedAt: String
    package var database: Database
    /// nil where there was no spool.
    package var spool: Spool?
    package var files: [File] = []
    /// Of a base backup: what pg_basebackup's own manifest has the checksums of.
    package var clusterBytes = 0

    package init(
        kind: BackupName.Kind, millrace: String, host: String, begunAt: String, endedAt: String, database: Database,
        spool: Spool?
    ) {
        self.kind = kind
        self.millrace = millrace
        self.host = host
        self.begunAt = begunAt
        self.endedAt = endedAt
        self.database = database
        self.spool = spool
    }

    /// Of all files.
    package var bytes: Int { files.reduce(clusterBytes) { $0 + $1.bytes } }

    func encoded() throws -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.keyEncodingStrategy = .convertToSnakeCase
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        return Array(try encoder.encode(self)) + [UInt8(ascii: "\n")]
    }

    /// Throws `DecodingError`; what a newer Millrace wrote may be that too, see `format(of:)`.
    init(decoding bytes: [UInt8]) throws {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        self = try decoder.decode(Self.self, from: Data(bytes))
    }

    private struct Head: Decodable {
        var format: Int
    }

    /// nil where it is no manifest.
    static func format(of bytes: [UInt8]) -> Int? {
        try? JSONDecoder().decode(Head.self, from: Data(bytes)).format
    }
}
