internal import CMillrace

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
