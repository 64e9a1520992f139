internal import CMillrace

/// One row as the folds read it; the pointers are valid while it is being added.
struct FoldRow {
    // SAFETY: a whole row lies behind it, as `fields` says.
    private let start: UnsafeRawPointer
    /// Of each column, where its length stands, from `start`.
    private let fields: UnsafePointer<UInt32>
    /// What the field extractor found.
    let paths: UnsafeMutablePointer<mr_text>
    /// In microseconds since 2000.
    let createdAt: Int64
    let idHigh: UInt64
    let idLow: UInt64

    init(
        _ start: UnsafeRawPointer, fields: UnsafePointer<UInt32>, paths: UnsafeMutablePointer<mr_text>,
        of layout: RowLayout
    ) {
        self.start = start
        self.fields = fields
        self.paths = paths
        let id = start + Int(fields[layout.id]) + 4
        createdAt = Int64(
            bigEndian: start.loadUnaligned(fromByteOffset: Int(fields[layout.createdAt]) + 4, as: Int64.self))
        idHigh = UInt64(bigEndian: id.loadUnaligned(as: UInt64.self))
        idLow = UInt64(bigEndian: id.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
    }

    /// The column's length and, when it isn't null, its value.
    func field(_ column: Int) -> UnsafeRawPointer { start + Int(fields[column]) }

    /// Bytes of a column, -1 for null.
    func length(_ column: Int) -> Int {
        Int(Int32(bigEndian: field(column).loadUnaligned(as: Int32.self)))
    }

    func value(_ column: Int) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: field(column) + 4, count: max(0, length(column)))
    }
}
