internal import MillraceEvent
internal import MillracePostgres

/// A row as a query with binary answers gave it: `PartitionedTable.columns`, then others.
struct StoredRow {
    /// As binary COPY has a row.
    let bytes: [UInt8]
    /// The versions that hold its batch; nil: all.
    let versions: Set<Int32>?
    private let fields: [Range<Int>?]
    private let columns: [String]

    /// - Parameter foldedColumn: of the versions, as `ConversationStatuses.folded` selects them.
    init(_ rows: borrowing PostgresResult, _ row: Int, of table: PartitionedTable, foldedColumn: Int) {
        // As `BinaryArray` draws it; an empty one ends after its element's type.
        versions = rows.withBytes(row, foldedColumn) { bytes in
            bytes.map { bytes in
                Set(
                    stride(from: 24, to: bytes.count, by: 8).map {
                        Int32(bigEndian: bytes.loadUnaligned(fromByteOffset: $0, as: Int32.self))
                    })
            }
        }
        columns = table.columns
        var bytes: [UInt8] = []
        var fields: [Range<Int>?] = []
        withUnsafeBytes(of: Int16(columns.count).bigEndian) { bytes += $0 }
        for column in columns.indices {
            rows.withBytes(row, column) { value in
                withUnsafeBytes(of: Int32(value?.count ?? -1).bigEndian) { bytes += $0 }
                fields.append(value.map { bytes.count..<bytes.count + $0.count })
                if let value { bytes += value }
            }
        }
        self.bytes = bytes
        self.fields = fields
    }

    /// nil: NULL.
    func value(_ column: String) -> [UInt8]? {
        guard let index = columns.firstIndex(of: column), let range = fields[index] else { return nil }
        return Array(bytes[range])
    }

    func id(_ column: String) -> UniqueID? { value(column).flatMap { UniqueID(bytes: $0) } }

    func text(_ column: String) -> String { value(column).map { String(decoding: $0, as: UTF8.self) } ?? "" }

    /// Of a jsonb column, without its version byte; nil: NULL.
    func document(_ column: String) -> [UInt8]? { value(column).map { Array($0.dropFirst()) } }

    func integer<Value: FixedWidthInteger>(_ column: String, as: Value.Type = Value.self) -> Value {
        (value(column) ?? []).reduce(0) { $0 << 8 | Value(truncatingIfNeeded: $1) }
    }

    /// Of a timestamptz.
    func time(_ column: String) -> Timestamp {
        Timestamp(microseconds: integer(column, as: Int64.self) + Timestamp.postgresEpoch)
    }
}
