/// Sketches as one session last read or wrote them, so that its next batch need not read them again.
///
/// An entry names the version of the row that it is. A statement that uses it asks for that version, and so misses a row
/// that someone else has changed since, or whose transaction did not commit.
final class KnownSketches {
    struct Entry {
        /// The key's columns, as the fold's tuples have them.
        var key: [UInt8]
        var sketch: HyperLogLog
        /// `ctid` and `xmin` of the row.
        var version: (place: String, writer: String)
    }

    /// Of one fold. Live traffic is of one day, or of two around midnight; each sketch has 64 KiB.
    static let countMax = 2

    private var entries: [Int: [Entry]] = [:]

    /// Takes out the entries of `keys`, in their order; nil unless all are known. `fold`: its number.
    func take(fold: Int, keys: [[UInt8]]) -> [Entry]? {
        guard let known = entries.removeValue(forKey: fold) else { return nil }
        let found = keys.compactMap { key in known.first { $0.key == key } }
        return found.count == keys.count ? found : nil
    }

    func put(_ new: [Entry], fold: Int) {
        entries[fold] = new.count <= Self.countMax ? new : nil
    }

    func clear() {
        entries = [:]
    }
}
