internal import FoundationEssentials
internal import MillracePostgres

/// `manifest.json`: what an archive holds. It is written last, so that an archive with a manifest is whole.
package struct ArchiveManifest: Codable, Sendable, Equatable {
    /// The first or last row, in the order of the archive.
    package struct Row: Codable, Sendable, Equatable {
        package var createdAt: String
        package var id: String
    }

    package struct Part: Codable, Sendable, Equatable {
        package var file: String
        package var rows: Int
        /// Before compression.
        package var bytes: Int
        package var compressedBytes: Int
        /// Of the file, in hexadecimal.
        package var sha256: String
    }

    package struct Column: Codable, Sendable, Equatable {
        package var name: String
        /// As PostgreSQL writes it.
        package var type: String
    }

    package struct Projection: Codable, Sendable, Equatable {
        package var pack: String
        package var version: Int
    }

    /// Of this file: 1.
    package var format = 1
    package var table: String
    /// `2026-08`
    package var month: String
    package var rows: Int
    /// nil of an empty month, and so is `last`.
    package var first: Row?
    package var last: Row?
    /// `MonthFingerprint.hash`.
    package var rowHash: String
    package var parts: [Part]
    package var columns: [Column]
    /// The newest migration.
    package var schema: Int
    /// The live version of each pack.
    package var projections: [Projection]
    package var postgresql: String
    package var millrace: String
    /// RFC 3339, UTC.
    package var writtenAt: String

    /// Of all parts.
    package var compressedBytes: Int { parts.reduce(0) { $0 + $1.compressedBytes } }

    /// As the file holds it.
    func encoded() throws -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.keyEncodingStrategy = .convertToSnakeCase
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        return Array(try encoder.encode(self)) + [UInt8(ascii: "\n")]
    }

    /// Throws `archive_damaged` for what is no manifest of this month.
    init(_ bytes: [UInt8], at path: String, of table: PartitionedTable, _ month: PartitionMonth) throws(ArchiveError) {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        do {
            self = try decoder.decode(Self.self, from: Data(bytes))
        } catch {
            throw Self.damaged(path, "it can't be read")
        }
        guard format == 1 else { throw Self.damaged(path, "its format is \(format), and this Millrace knows 1") }
        guard self.table == table.rawValue, self.month == month.label else {
            throw Self.damaged(path, "it is of \(self.month) of \(self.table)")
        }
        let isPlain = parts.enumerated().allSatisfy { $0.element.file == ArchiveLayout.partName($0.offset) }
        guard isPlain, parts.reduce(0, { $0 + $1.rows }) == rows else {
            throw Self.damaged(path, "its parts don't add up")
        }
    }

    init(
        table: PartitionedTable, month: PartitionMonth, fingerprint: MonthFingerprint, parts: [Part], columns: [Column],
        schema: Int, projections: [Projection], postgresql: String, millrace: String, writtenAt: String
    ) {
        self.table = table.rawValue
        self.month = month.label
        rows = fingerprint.rows
        first = fingerprint.first
        last = fingerprint.last
        rowHash = fingerprint.hash
        self.parts = parts
        self.columns = columns
        self.schema = schema
        self.projections = projections
        self.postgresql = postgresql
        self.millrace = millrace
        self.writtenAt = writtenAt
    }

    private static func damaged(_ path: String, _ reason: String) -> ArchiveError {
        ArchiveError(.archiveDamaged, "\(path): \(reason)", hint: "Bring the archive back from a backup of it.")
    }
}
