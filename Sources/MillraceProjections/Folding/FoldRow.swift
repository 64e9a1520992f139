internal import CMillrace

/// One row as the folds read it; the pointers are valid while it is being added.
struct FoldRow {
    /// Of each column, where its length stands.
    let starts: UnsafeMutablePointer<UnsafeRawPointer>
    /// What the field extractor found.
    let paths: UnsafeMutablePointer<mr_text>
    /// In microseconds since 2000.
    var createdAt: Int64 = 0
    var idHigh: UInt64 = 0
    var idLow: UInt64 = 0

    /// Bytes of a column, -1 for null.
    func length(_ column: Int) -> Int {
        Int(Int32(bigEndian: starts[column].loadUnaligned(as: Int32.self)))
    }

    func value(_ column: Int) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: starts[column] + 4, count: max(0, length(column)))
    }
}
