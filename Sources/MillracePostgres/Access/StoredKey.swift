package import MillraceAccess

/// A row of `access_keys`.
package struct StoredKey: Sendable, Equatable {
    package var record: KeyRecord
    /// Microseconds since the epoch.
    package var createdAt: Int64
    /// The role of the database that made it.
    package var createdBy: String
    /// The id of the key that it was made for by a rotation.
    package var replaces: String?

    /// In the order of `init(_:_:)`.
    static let columns = """
        id,
        name,
        tenant_id,
        array_to_string(scopes, ','),
        encode(secret_hash, 'hex'),
        array_to_string(event_types, chr(31)),
        events_per_second,
        events_burst,
        bytes_per_second,
        bytes_burst,
        (EXTRACT(EPOCH FROM expires_at) * 1000000)::bigint,
        (EXTRACT(EPOCH FROM revoked_at) * 1000000)::bigint,
        array_to_string(origins, chr(31)),
        client_subject,
        (EXTRACT(EPOCH FROM created_at) * 1000000)::bigint,
        created_by,
        replaces
        """

    /// `row` of an answer with `columns`; nil for one that is none of a key.
    init?(_ result: borrowing PostgresResult, _ row: Int) {
        guard let id = result.string(row, 0), let tenant = result.int(row, 2).flatMap(Int32.init(exactly:)),
            let hash = result.string(row, 4).flatMap(Self.bytes(ofHex:))
        else { return nil }
        let scopes = (result.string(row, 3) ?? "").split(separator: ",").compactMap {
            AccessScope(rawValue: String($0))
        }
        record = KeyRecord(
            id: id, name: result.string(row, 1) ?? "", tenant: tenant, scopes: Set(scopes), secretHash: hash)
        record.eventTypes = Self.list(result.string(row, 5))
        record.events = KeyRecord.Rate(perSecond: result.int(row, 6), burst: result.int(row, 7))
        record.bytes = KeyRecord.Rate(perSecond: result.int(row, 8), burst: result.int(row, 9))
        record.expiresAt = result.int(row, 10).map(Int64.init)
        record.revokedAt = result.int(row, 11).map(Int64.init)
        record.origins = Self.list(result.string(row, 12))
        record.clientSubject = result.string(row, 13)
        createdAt = Int64(result.count(row, 14))
        createdBy = result.string(row, 15) ?? ""
        replaces = result.string(row, 16)
    }

    private static func list(_ text: String?) -> [String] {
        (text ?? "").split(separator: "\u{1F}").map(String.init)
    }

    private static func bytes(ofHex text: String) -> [UInt8]? {
        let digits = text.utf8.compactMap { Character(Unicode.Scalar($0)).hexDigitValue }
        guard digits.count == text.utf8.count, digits.count % 2 == 0 else { return nil }
        return stride(from: 0, to: digits.count, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
    }
}
