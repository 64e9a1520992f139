/// The lines of a run, made once: a number's line is a template with its id, its time and some values written over it.
/// No JSON is encoded for an event.
///
/// The templates are taken in turn. Values that change with every event (page, milliseconds, session …) keep an index
/// on the payload from looking cheaper than it is with events that differ.
struct EventTemplates: Sendable {
    /// Characters that change with every event.
    struct Hole: Sendable {
        enum Content: Sendable {
            case hexadecimal
            /// A whole number of as many digits as there are, or the digits of one.
            case decimal
        }

        var offset: Int32
        /// 1 ... 16.
        var count: Int8
        var content: Content
    }

    struct Template: Sendable {
        /// In `bytes`.
        var start: Int32
        /// With its line ending.
        var count: Int32
        /// Where the last 12 digits of the id go, from the line's first byte; likewise the following.
        var numberOffset: Int32
        /// nil where the time is the template's own.
        var timeOffset: Int32?
        /// nil where the user is the template's own, or none.
        var userOffset: Int32?
        /// In `holes`.
        var holes: Range<Int32>
    }

    static let numberBytes = 12
    static let userBytes = 36

    var seed: UInt64 = 0
    var bytes: [UInt8] = []
    var templates: [Template] = []
    var holes: [Hole] = []
    /// UUIDs as text, one after the other.
    var users: [UInt8] = []
    /// Times that templates bring along, microseconds since 1970; nil where none does.
    var ownTimes: ClosedRange<Int64>?

    var lineBytesMax: Int { templates.reduce(0) { max($0, Int($1.count)) } }

    /// With line endings.
    var lineBytesMean: Double { Double(bytes.count) / Double(max(1, templates.count)) }

    /// Writes the lines of `numbers`, one after the other, and returns the bytes they took. `time`: as `EventClock`
    /// writes it. `output` has room for `lineBytesMax` a line.
    func write(_ numbers: Range<UInt64>, time: [UInt8], into output: UnsafeMutableRawBufferPointer) -> Int {
        precondition(time.count == EventClock.textBytes, "a time has \(EventClock.textBytes) characters")
        precondition(output.count >= numbers.count * lineBytesMax, "there is room for the longest lines")
        guard let base = output.baseAddress else { return 0 }
        let userCount = UInt64(users.count / Self.userBytes)
        var target = base
        var index = Int(numbers.lowerBound % UInt64(templates.count))
        // SAFETY: the arrays are not empty, and offsets and counts lie within them by construction.
        withUnsafeArrays { bytes, templates, holes, users in
            time.withUnsafeBytes { time in
                for number in numbers {
                    let template = templates[index]
                    index += 1
                    if index == templates.count { index = 0 }
                    let line = target
                    line.copyMemory(from: bytes + Int(template.start), byteCount: Int(template.count))
                    target += Int(template.count)
                    Hexadecimal.write(number, digits: Self.numberBytes, to: line + Int(template.numberOffset))
                    if let offset = template.timeOffset, let time = time.baseAddress {
                        (line + Int(offset)).copyMemory(from: time, byteCount: EventClock.textBytes)
                    }
                    if let offset = template.userOffset {
                        let user = Int(EventHash.mix(seed, number, lane: 0) % userCount) * Self.userBytes
                        (line + Int(offset)).copyMemory(from: users + user, byteCount: Self.userBytes)
                    }
                    fill(holes, template.holes, of: line, number: number)
                }
            }
        }
        return target - base
    }

    private func withUnsafeArrays(
        _ body: (
            _ bytes: UnsafeRawPointer, _ templates: UnsafeBufferPointer<Template>, _ holes: UnsafeBufferPointer<Hole>,
            _ users: UnsafeRawPointer
        ) -> Void
    ) {
        bytes.withUnsafeBytes { bytes in
            users.withUnsafeBytes { users in
                templates.withUnsafeBufferPointer { templates in
                    holes.withUnsafeBufferPointer { holes in
                        guard let start = bytes.baseAddress else { return }
                        body(start, templates, holes, users.baseAddress ?? start)
                    }
                }
            }
        }
    }

    @inline(__always)
    private func fill(
        _ holes: UnsafeBufferPointer<Hole>, _ range: Range<Int32>, of line: UnsafeMutableRawPointer, number: UInt64
    ) {
        guard !range.isEmpty else { return }
        // 16 hexadecimal digits take one draw; the few decimal ones share another.
        var decimals = EventHash.mix(seed, number, lane: 1)
        for index in range {
            let hole = holes[Int(index)]
            let target = line + Int(hole.offset)
            switch hole.content {
            case .hexadecimal:
                let bits = EventHash.mix(seed, number, lane: hole.count == 16 ? 2 : 3)
                Hexadecimal.write(bits, digits: Int(hole.count), to: target)
            case .decimal:
                // The first digit is never 0, which JSON forbids.
                target.storeBytes(of: UInt8(ascii: "1") + UInt8(decimals % 9), as: UInt8.self)
                decimals /= 9
                for digit in 1..<max(1, Int(hole.count)) {
                    target.storeBytes(
                        of: UInt8(ascii: "0") + UInt8(decimals % 10), toByteOffset: digit, as: UInt8.self)
                    decimals /= 10
                }
            }
        }
    }
}

/// SplitMix64's mixing function: what an event holds is a function of the seed and its number, so that the same seed
/// gives the same events whatever the connections and their timing.
enum EventHash {
    private static let step: UInt64 = 0x9E37_79B9_7F4A_7C15

    /// 64 bits for `number`; `lane` tells several draws for the same number apart.
    @inline(__always)
    static func mix(_ seed: UInt64, _ number: UInt64, lane: UInt64) -> UInt64 {
        var mixed = seed &+ (number &* 4 &+ lane &+ 1) &* step
        mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return mixed ^ mixed >> 31
    }
}

/// Hexadecimal digits at fixed places.
enum Hexadecimal {
    /// Writes the low `digits` × 4 bits of `value`, lower case, the highest first.
    @inline(__always)
    static func write(_ value: UInt64, digits: Int, to target: UnsafeMutableRawPointer) {
        var rest = value
        for index in stride(from: digits - 1, through: 0, by: -1) {
            let nibble = UInt8(truncatingIfNeeded: rest & 0xF)
            target.storeBytes(of: nibble &+ (nibble < 10 ? 48 : 87), toByteOffset: index, as: UInt8.self)
            rest >>= 4
        }
    }
}
