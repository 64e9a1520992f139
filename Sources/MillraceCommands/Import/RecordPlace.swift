/// Where a record begins in a file, after decompression.
struct RecordPlace: Equatable {
    /// From 1.
    var line: Int
    /// In bytes, from 1.
    var column: Int
    /// From 0.
    var offsetBytes: Int
    /// In its array, from 0; nil for what stands in none.
    var index: Int?
}
