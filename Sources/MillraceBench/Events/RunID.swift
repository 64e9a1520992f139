internal import MillraceEvent

/// What the ids of one run have in common, so that its rows can be told from all others, and counted through an index.
///
/// | bits | what |
/// | ---: | --- |
/// | 48 | milliseconds since 1970 at the start of the run |
/// | 4 | 7, a UUIDv7 |
/// | 12 | random |
/// | 2 | binary 10, the variant |
/// | 14 | random |
/// | 48 | the event's number in the run |
struct RunID: Equatable {
    /// Numbers are below this.
    static let numbersMax: UInt64 = 1 << 48

    /// The two halves of the id of number 0.
    private let high: UInt64
    private let low: UInt64

    /// `random`: 26 bits of it are used.
    init(startedAt: Timestamp, random: UInt64) {
        high = UInt64(startedAt.microseconds / 1000) << 16 | 0x7000 | random & 0xFFF
        low = 0x8000_0000_0000_0000 | (random >> 12 & 0x3FFF) << 48
    }

    func id(_ number: UInt64) -> UniqueID {
        precondition(number < Self.numbersMax, "an event's number has 48 bits")
        return UniqueID(high: high, low: low | number)
    }

    /// The first 24 characters of every id: all but the number, which are the 12 digits after them.
    var textPrefix: String { String("\(id(0))".prefix(24)) }
}
