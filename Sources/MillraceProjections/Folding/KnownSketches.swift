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

    /// Batches for which nothing is kept after an entry was out of date: another session writes the same rows, and to find
    /// that out costs a batch twice its folds.
    private static let pauseBatches = 100

    private var entries: [Int: [Entry]] = [:]
    private var pauseLeft = 0

    /// Another batch begins.
    func begin() {
        if pauseLeft > 0 { pauseLeft -= 1 }
    }

    /// Takes out the entries of `keys`, in their order; nil unless all are known. `fold`: its number.
    func take(fold: Int, keys: [[UInt8]]) -> [Entry]? {
        guard let known = entries.removeValue(forKey: fold) else { return nil }
        let found = keys.compactMap { key in known.first { $0.key == key } }
        return found.count == keys.count ? found : nil
    }

    func put(_ new: [Entry], fold: Int) {
        entries[fold] = pauseLeft == 0 && new.count <= Self.countMax ? new : nil
    }

    /// Forgets all, for a while.
    func distrust() {
        clear()
        pauseLeft = Self.pauseBatches
    }

    func clear() {
        entries = [:]
    }
}
