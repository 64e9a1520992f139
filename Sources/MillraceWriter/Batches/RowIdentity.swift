import MillraceEvent

/// What names a row, read out of its binary COPY form: an int16 count of fields, then each with its length (int32; -1 is
/// NULL) in front, big endian.
struct RowIdentity {
    var sequence: UInt64
    var id: UniqueID
    /// In microseconds since 2000-01-01T00:00:00Z, as PostgreSQL counts.
    var createdAt: Int64

    /// `columns`: the fields' names in order. nil when the row has no `id` or `created_at`.
    init?(_ sequence: UInt64, _ row: UnsafeRawBufferPointer, columns: String) {
        let names = columns.split(separator: ",").map { $0.drop { $0 == " " } }
        var id: UniqueID?
        var createdAt: Int64?
        var offset = MemoryLayout<Int16>.size
        for name in names {
            guard offset + 4 <= row.count else { return nil }
            let length = Int(Int32(bigEndian: row.loadUnaligned(fromByteOffset: offset, as: Int32.self)))
            offset += 4
            guard length >= 0 else { continue }
            guard offset + length <= row.count else { return nil }
            let field = UnsafeRawBufferPointer(rebasing: row[offset..<offset + length])
            switch name {
            case "id": id = UniqueID(bytes: field)
            case "created_at" where length == 8: createdAt = Int64(bigEndian: field.loadUnaligned(as: Int64.self))
            default: break
            }
            offset += length
        }
        guard let id, let createdAt else { return nil }
        self.sequence = sequence
        self.id = id
        self.createdAt = createdAt
    }
}
