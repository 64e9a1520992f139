/// Events of which rules keep half, quarantine a quarter and sample out a quarter, each with a secret that is to be encrypted.
struct TreatedEvents: LineSource {
    static let rules = """
        [[rule]]
        name = "orders"
        event_types = "order"
        schema = '{"required": ["total"]}'
        action = "quarantine"

        [[rule]]
        name = "pages"
        event_types = "page"
        sample = 0.0000001
        """
    static let secret = "not-for-any-disk"

    /// Of each payload, so that a disk is soon full.
    var fillBytes = 0

    static func id(_ index: Int) -> String { "0192b1a4-7c3e-4a51-9f0e-\(100_000_000_000 + index)" }

    /// Whether the row is there in the end: kept, or quarantined and retried.
    static func isStored(_ index: Int) -> Bool { index % 4 != 2 }

    static func isQuarantined(_ index: Int) -> Bool { index % 4 == 1 }

    func line(_ index: Int) -> String {
        let (type, total) =
            switch index % 4 {
            case 0: ("order", #","total":\#(index)"#)
            case 1: ("order", "")
            case 2: ("page", "")
            default: ("other", "")
            }
        let fill = fillBytes > 0 ? #","fill":"\#(String(repeating: "x", count: fillBytes))""# : ""
        return #"{"event_type":"\#(type)","id":"\#(Self.id(index))","created_at":"2026-11-20T10:00:00Z","#
            + #""payload":{"secret":"\#(Self.secret) \#(index)"\#(total)\#(fill)}}"#
    }

    func lines(_ range: Range<Int>) -> [UInt8] {
        range.flatMap { Array(line($0).utf8) + [UInt8(ascii: "\n")] }
    }
}
