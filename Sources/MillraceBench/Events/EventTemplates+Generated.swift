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

/// One generated line while it is put together.
struct EventDraft {
    private static let types: [String] = ["viewed", "started", "done", "failed"].flatMap { verb in
        ["page", "click", "cart", "order", "search", "video", "session", "profile", "mail", "error"].map {
            "\($0).\(verb)"
        }
    }
    /// Of Zipf's law with exponent 1: the sum up to each type.
    private static let weights: [Double] = (1...40).reduce(into: []) { $0.append(($0.last ?? 0) + 1 / Double($1)) }
    private static let systems = ["ios", "android", "macos", "windows", "linux"]
    /// As they stand in JSON.
    private static let words = [
        "tea", "café", "räder", "shoes", "lamp", "book", "mug", "日本", "chair", #"say \"hi\""#, #"c:\\tmp"#, #"a\tb"#,
    ]

    private(set) var bytes: [UInt8] = []
    private(set) var holes: [EventTemplates.Hole] = []
    let numberOffset: Int32
    let timeOffset: Int32
    private(set) var userOffset: Int32?
    private var state: UInt64
    private let seed: UInt64

    /// The fixed fields up to the payload's first one.
    init(seed: UInt64, index: UInt64, runID: RunID) {
        self.seed = seed
        state = EventHash.mix(seed, index, lane: 0)
        bytes = Array("{\"id\":\"\(runID.textPrefix)".utf8)
        numberOffset = Int32(bytes.count)
        bytes += Array("000000000000\",\"event_type\":\"".utf8)
        let type = Double(EventHash.mix(state, 0, lane: 1) >> 11) / Double(1 << 53) * (Self.weights.last ?? 1)
        bytes += Array(Self.types[Self.weights.firstIndex { type < $0 } ?? 0].utf8)
        let isAnonymous = EventHash.mix(state, 0, lane: 2) % 10 == 0
        bytes += Array(isAnonymous ? "\",\"user_id\":null,\"created_at\":\"".utf8 : "\",\"user_id\":\"".utf8)
        if !isAnonymous {
            userOffset = Int32(bytes.count)
            bytes += Array(repeating: UInt8(ascii: "0"), count: EventTemplates.userBytes)
            bytes += Array("\",\"created_at\":\"".utf8)
        }
        timeOffset = Int32(bytes.count)
        bytes += Array(repeating: UInt8(ascii: "0"), count: EventClock.textBytes)
        bytes += Array("\",\"payload\":{\"sid\":\"".utf8)
        hole(16, .hexadecimal)
        bytes += Array("\"".utf8)
    }

    /// A number below `bound`.
    mutating func draw(_ bound: UInt64) -> UInt64 {
        state &+= 1
        return EventHash.mix(seed, state, lane: 3) % bound
    }

    /// Adds the payload's fields that fit into a line of `lineBytes`, and a text of what is left over.
    mutating func fill(to lineBytes: Int) {
        // What is left of the line once it is closed: `}}` and the line ending.
        let end = lineBytes - 3
        for field in 0..<7 {
            let before = self
            add(field)
            if bytes.count > end { self = before }
        }
        let start = Array(",\"note\":\"".utf8)
        let rest = end - bytes.count - start.count - 1
        if rest > 0 {
            bytes += start
            for index in 0..<rest {
                // Words of eight letters.
                bytes.append(index % 9 == 8 ? UInt8(ascii: " ") : UInt8(ascii: "a") + UInt8(draw(26)))
            }
            bytes.append(UInt8(ascii: "\""))
        }
        bytes += Array("}}\n".utf8)
    }

    private mutating func add(_ field: Int) {
        switch field {
        case 0:
            bytes += Array(",\"page\":{\"path\":\"/p/".utf8)
            hole(5, .decimal)
            bytes += Array("/\(Self.words[Int(draw(12))])\"}".utf8)
        case 1:
            let width = [360, 390, 414, 768, 1280, 1920][Int(draw(6))]
            let system = Self.systems[Int(draw(5))]
            let version = "\(1 + draw(19)).\(draw(10))"
            bytes += Array(",\"device\":{\"os\":\"\(system)\",\"v\":\"\(version)\",\"w\":\(width)}".utf8)
        case 2:
            bytes += Array(",\"ms\":".utf8)
            hole(Int8(3 + draw(3) / 2), .decimal)
        case 3:
            bytes += Array(",\"value\":".utf8)
            hole(Int8(2 + draw(2)), .decimal)
            bytes += Array(".\(1 + draw(9))".utf8)
        case 4: bytes += Array(",\"ok\":\(["true", "false", "null"][Int(draw(3))])".utf8)
        case 5: bytes += Array(",\"ab\":[\"x\(draw(8))\",\"y\(draw(8))\"]".utf8)
        default:
            bytes += Array(",\"ref\":\"https://ex.org/".utf8)
            hole(8, .hexadecimal)
            bytes += Array("\"".utf8)
        }
    }

    private mutating func hole(_ count: Int8, _ content: EventTemplates.Hole.Content) {
        holes.append(EventTemplates.Hole(offset: Int32(bytes.count), count: count, content: content))
        bytes += Array(repeating: UInt8(ascii: "1"), count: Int(count))
    }
}
