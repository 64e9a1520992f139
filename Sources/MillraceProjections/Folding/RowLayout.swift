internal import MillracePostgres

/// Rows of binary COPY, one after the other, and where their fields are. Whoever hands them out says how long the bytes
/// are valid.
package struct CopyRows {
    /// Without header and trailer: of each row an int16 count of fields, then int32 length (-1: NULL) and value of each.
    package let bytes: UnsafeRawBufferPointer
    /// Of each row, in bytes from its start: where each column's length stands, and where the row ends. As many numbers
    /// a row as it has columns, and one more.
    package let fields: UnsafeBufferPointer<UInt32>

    package init(bytes: UnsafeRawBufferPointer, fields: UnsafeBufferPointer<UInt32>) {
        self.bytes = bytes
        self.fields = fields
    }

    /// Of the first row, the value of a column, by its place in `PartitionedTable.columns`; nil: NULL.
    package func value(ofColumn column: Int) -> UnsafeRawBufferPointer? {
        let start = Int(fields[column])
        let length = Int(Int32(bigEndian: bytes.loadUnaligned(fromByteOffset: start, as: Int32.self)))
        return length < 0 ? nil : UnsafeRawBufferPointer(rebasing: bytes[start + 4..<start + 4 + length])
    }
}

/// Where a row of binary COPY has the columns that every row is looked at for: in the encoder's order.
struct RowLayout {
    let columnCount: Int
    let id: Int
    let createdAt: Int
    /// nil for conversations.
    let type: Int?
    let document: Int

    private init(_ table: PartitionedTable) {
        columnCount = table.columns.count
        id = Self.index(of: "id", in: table)
        createdAt = Self.index(of: "created_at", in: table)
        type = table.columns.firstIndex(of: "event_type")
        document = Self.document(of: table)
    }

    private static let events = RowLayout(.analyticsEvents)
    private static let conversations = RowLayout(.conversations)
    static let columnsMax = PartitionedTable.allCases.map(\.columns.count).max() ?? 0

    static func of(_ table: PartitionedTable) -> RowLayout {
        table == .analyticsEvents ? events : conversations
    }

    /// Finds the fields of a row that comes without them, from a table: `fields` as in `CopyRows`.
    func findFields(of row: UnsafeRawPointer, into fields: UnsafeMutablePointer<UInt32>) {
        var offset = MemoryLayout<Int16>.size
        for column in 0..<columnCount {
            fields[column] = UInt32(offset)
            let length = Int(Int32(bigEndian: row.loadUnaligned(fromByteOffset: offset, as: Int32.self)))
            offset += 4 + max(0, length)
        }
        fields[columnCount] = UInt32(offset)
    }

    static func index(of column: String, in table: PartitionedTable) -> Int {
        guard let index = table.columns.firstIndex(of: column) else {
            preconditionFailure("PackLoader has let through a field that no row has: \(column)")
        }
        return index
    }

    /// The jsonb column.
    static func document(of table: PartitionedTable) -> Int {
        index(of: table == .analyticsEvents ? "payload" : "metadata", in: table)
    }

    static func element(of column: String) -> ArrayElement {
        switch column {
        case "id", "user_id": .uuid
        case "tenant_id": .int4
        case "created_at", "received_at": .timestamptz
        default: .text
        }
    }
}
