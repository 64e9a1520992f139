/// Sketches as one session last read or wrote them, so that its next batch need not read them again.
///
/// An entry names the versions of its rows. A statement that uses it asks for them, and so misses a row that someone else
/// has changed since, or whose transaction did not commit.
final class KnownSketches {
    struct Entry {
        /// The key's columns, as the fold's tuples have them.
        var key: [UInt8]
        var stored: StoredSketch
    }

    /// Of one fold. Live traffic is of one day, or of two around midnight; a sketch has 16 KiB in memory.
    static let countMax = 8

    /// Batches for which nothing is kept after an entry was out of date: another session writes the same rows, and to find
    /// that out costs a batch twice its folds.
    private static let pauseBatches = 100

    /// By fold, the one used last at the end.
    private var entries: [Int: [Entry]] = [:]
    private var pauseLeft = 0

    /// To be called when a batch begins.
    func begin() {
        if pauseLeft > 0 { pauseLeft -= 1 }
    }

    /// Takes out the entries of `keys`, in their order; nil unless all are known. `fold`: its number.
    func take(fold: Int, keys: [[UInt8]]) -> [Entry]? {
        guard let known = entries[fold] else { return nil }
        let found = keys.compactMap { key in known.first { $0.key == key } }
        entries[fold] = known.filter { !keys.contains($0.key) }
        return found.count == keys.count ? found : nil
    }

    func put(_ entry: Entry, fold: Int) {
        guard pauseLeft == 0 else { return }
        entries[fold] = entries[fold, default: []].suffix(Self.countMax - 1) + [entry]
    }

    /// Forgets all entries, and keeps none for the next `pauseBatches` batches.
    func distrust() {
        clear()
        pauseLeft = Self.pauseBatches
    }

    func clear() {
        entries = [:]
    }
}
