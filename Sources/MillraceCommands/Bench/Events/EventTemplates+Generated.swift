internal import MillraceEvent

extension EventTemplates {
    /// Smallest and largest `lineBytes`: what the fixed fields take, and what stays below `limits.payload_bytes`.
    static let lineBytesRange = 224...200_000
    private static let userCount = 50_000

    /// Analytics events as products send them: 40 types by Zipf's law, 50,000 users, every tenth event without one,
    /// and a payload of nested objects, an array, numbers, booleans and text. The same `seed` gives the same events;
    /// only ids and times differ between runs. `lineBytes`: mean length of a line with its ending.
    static func generated(seed: UInt64, lineBytes: Int, runID: RunID) -> EventTemplates {
        precondition(lineBytesRange.contains(lineBytes), "a line has \(lineBytesRange) bytes")
        var made = EventTemplates()
        made.seed = seed
        made.users = users(seed: ~seed)
        // About 1.4 MB at the usual size: many enough to look random, few enough to stay in the processor's cache.
        let count = max(64, min(4096, (8 << 20) / lineBytes))
        // What earlier lines were too long (or too short): the mean comes out right.
        var debt = 0
        for index in 0..<count {
            var draft = EventDraft(seed: seed, index: UInt64(index), runID: runID)
            let spread = max(1, lineBytes / 12)
            let jitter = Int(draft.draw(UInt64(2 * spread + 1))) - spread
            draft.fill(to: lineBytes - debt + jitter)
            debt += draft.bytes.count - lineBytes
            made.append(draft)
        }
        return made
    }

    private static func users(seed: UInt64) -> [UInt8] {
        let memory = RawBuffer(byteCount: userCount * userBytes)
        for index in 0..<userCount {
            // Version 4.
            let high = EventHash.mix(seed, UInt64(index), lane: 0) & 0xFFFF_FFFF_FFFF_0FFF | 0x4000
            let low = EventHash.mix(seed, UInt64(index), lane: 1) & 0x3FFF_FFFF_FFFF_FFFF | 0x8000_0000_0000_0000
            guard let text = memory.bytes.baseAddress.map({ $0 + index * userBytes }) else { continue }
            Hexadecimal.write(high >> 32, digits: 8, to: text)
            Hexadecimal.write(high >> 16, digits: 4, to: text + 9)
            Hexadecimal.write(high, digits: 4, to: text + 14)
            Hexadecimal.write(low >> 48, digits: 4, to: text + 19)
            Hexadecimal.write(low, digits: 12, to: text + 24)
            for dash in [8, 13, 18, 23] { text.storeBytes(of: UInt8(ascii: "-"), toByteOffset: dash, as: UInt8.self) }
        }
        return Array(memory.bytes)
    }

    private mutating func append(_ draft: EventDraft) {
        let firstHole = Int32(holes.count)
        holes += draft.holes
        templates.append(
            Template(
                start: Int32(bytes.count), count: Int32(draft.bytes.count), numberOffset: draft.numberOffset,
                timeOffset: draft.timeOffset, userOffset: draft.userOffset, holes: firstHole..<Int32(holes.count)))
        bytes += draft.bytes
    }
}
