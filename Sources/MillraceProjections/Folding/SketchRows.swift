internal import MillracePostgres

/// Rows of sketches that one statement is about.
struct SketchRows {
    /// Of each: which of the sender's sketches, and the row's number there.
    private(set) var places: [(sketch: Int, row: Int)] = []
    /// Of each: the tuple of its key.
    private(set) var tuples: [Int] = []
    private var chunks = BinaryArray(.int4)
    private var sketches = BinaryArray(.bytea)
    private var versions = BinaryArray(.text)
    private let hasSketches: Bool
    private let hasVersions: Bool

    init(hasSketches: Bool, hasVersions: Bool) {
        self.hasSketches = hasSketches
        self.hasVersions = hasVersions
    }

    mutating func append(_ sketch: Int, row: Int, of stored: StoredSketch, tuple: Int) {
        places.append((sketch, row))
        tuples.append(tuple)
        chunks.append(integer: Int32(truncatingIfNeeded: row))
        if hasSketches { stored.bytes(ofRow: row).withUnsafeBytes { sketches.append($0) } }
        if hasVersions { versions.append(stored.versions[row]) }
    }

    /// The arrays behind those of the keys: chunk, sketch, version, as far as there are any.
    var parameters: [PostgresParameter?] {
        [chunks.parameter] + (hasSketches ? [sketches.parameter] : []) + (hasVersions ? [versions.parameter] : [])
    }
}
