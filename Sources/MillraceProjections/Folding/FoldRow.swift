internal import CMillrace
internal import MillraceEvent

/// One row as the folds read it; the pointers are valid while it is being added.
struct FoldRow {
    // SAFETY: points to a whole row, as `fields` says.
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

    /// When what the row says was so: created_at, or the earlier time in the id of a record that was too old when it was
    /// imported. In microseconds since 2000.
    var stateAt: Int64 {
        guard let time = DatedIdentity.microseconds(high: idHigh, low: idLow) else { return createdAt }
        return min(time, createdAt)
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

/// Takes the values at some paths out of payloads. One thread's.
final class FieldExtractor {
    // SAFETY: made in init, freed once in deinit, used by one thread.
    private let extractor: OpaquePointer

    init() {
        guard let extractor = mr_extractor_create() else {
            preconditionFailure("there is no memory for a field extractor")
        }
        self.extractor = extractor
    }

    deinit {
        mr_extractor_destroy(extractor)
    }

    /// The value at `path` goes to `output`.
    func add(_ path: [String], wantsJSON: Bool, output: Int) {
        let names = path.map { Array($0.utf8) }
        let bytes = names.flatMap { $0 }
        let isAdded = bytes.withUnsafeBufferPointer { buffer in
            var offset = 0
            let texts = names.map { name in
                defer { offset += name.count }
                return mr_text(bytes: buffer.baseAddress.map { $0 + offset }, length: name.count)
            }
            return mr_extractor_add(extractor, texts, texts.count, wantsJSON, UInt32(output))
        }
        precondition(isAdded, "there is no memory for a path")
    }

    /// Fills `outputs` of all paths; null bytes where there is nothing. Valid until the next call.
    func extract(_ json: UnsafeRawBufferPointer, into outputs: UnsafeMutablePointer<mr_text>) {
        let start = json.baseAddress?.assumingMemoryBound(to: UInt8.self)
        _ = mr_extract(extractor, start, json.count, outputs)
    }
}

extension mr_text {
    /// Whether the field extractor found a number that is too long to be given out.
    var hasLongNumbers: Bool { length < 0 }

    /// Whether there is a value, null or not.
    var isThere: Bool { bytes != nil || length == Int(MR_NULL) }
}
