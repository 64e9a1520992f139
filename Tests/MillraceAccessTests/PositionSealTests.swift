import MillraceEvent
import Testing

@testable import MillraceAccess

struct PositionSealTests {
    private static let key = Array("a key of thirty-two bytes, or so".utf8)
    private let spool = UniqueID(high: 0x0192_B1A4_7C3E_4A51, low: 0x9F0E_2D6C_1B8E_4F70)

    private var seal: PositionSeal { PositionSeal(spool: spool, key: Self.key) }

    @Test(arguments: [0...0, 7...7, 1...1000, 1 << 60...1 << 60 + 5, 0...1 << 63 - 1] as [ClosedRange<UInt64>])
    func `a position comes back as it was given`(sequences: ClosedRange<UInt64>) {
        let text = seal.text(sequences, tenant: 3)
        #expect(text.utf8.count == PositionSeal.textBytes)
        #expect(text.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "-" || $0 == "_") })
        #expect(seal.position(text, tenant: 3) == AckPosition(spool: spool, sequences: sequences))
    }

    @Test func `the same position never looks the same, and does not show its numbers`() {
        let texts = Set((0..<100).map { _ in seal.text(5...6, tenant: 0) })
        #expect(texts.count == 100)
        // Of neighbours nothing but chance is alike.
        let (first, second) = (Array(seal.text(5...6, tenant: 0)), Array(seal.text(7...8, tenant: 0)))
        #expect(zip(first, second).count { $0 == $1 } < first.count / 2)
    }

    @Test func `another daemon of the same key reads it, with the spool that it is of`() {
        let other = PositionSeal(spool: UniqueID(high: 1, low: 2), key: Self.key)
        #expect(other.position(seal.text(5...6, tenant: 0), tenant: 0)?.spool == spool)
    }

    @Test func `none is made up, changed, or taken from another tenant or key`() {
        let text = seal.text(5...6, tenant: 1)
        #expect(seal.position(text, tenant: 0) == nil)
        #expect(seal.position(text, tenant: -1) == nil)
        let foreign = PositionSeal(spool: spool, key: Array("another key of thirty-two bytes.".utf8))
        #expect(foreign.position(text, tenant: 1) == nil)
        for index in text.indices {
            var changed = text
            changed.replaceSubrange(index...index, with: text[index] == "A" ? "B" : "A")
            #expect(seal.position(changed, tenant: 1) == nil)
        }
        let length = text.count
        for bad in [
            "", "5", String(text.dropLast()), text + "A", String(repeating: "A", count: length),
            String(repeating: "=", count: length), String(repeating: "+", count: length),
            String(repeating: "é", count: length / 2), String(repeating: "\u{0}", count: length),
        ] {
            #expect(seal.position(bad, tenant: 1) == nil, "\(bad)")
        }
    }
}
