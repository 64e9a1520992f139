@testable import MillraceDialects
import MillraceEvent
import MillraceTestSupport
import Testing

/// Texts that lz-string's own compressToBase64 made.
struct LZStringTests {
    private static let many = String(repeating: "a", count: 64)
    private static let longPacked: String =
        "P8UwZoSYQIYBYCZQMYCMzwOYWcBd0kXRUWGBkUSijjgvDglrxCjCMRFRFKmDGXAgYYRDHJQWbKBHRtgsJDmRxhESEOxgW6ZZD6ItWQcSGVsM6nyFEqw2sELJ"
        + "CIqPlEOIYtCGspMokWQYEAhQ/jB5cAghHxF5GGitYLUtNhFhSEQIRDhvZCJSGW5o6hIYB1pYSpR0hldhdGBsGjBWfB01aVABMNARdEa1chJG+BJUV1RC"
        + "g2AB9BVrAtAY9FYY0ShseBZCWFCQFWpgjiEyCCakHzVQaAyHKhCYZEZXRrJ0GHmQIA=="
    private static let longText: String =
        "ÿef→ahdacbfhdg→bÿdadgecgcbcÿÿhccaaddccefd→dcdgeafgccebfeÿÿaÿfbefehfchhcaeafga→gfgÿahacÿdbdhf→f→ehbÿfeagbdf→ÿfcfe→befec"
        + "bcehcabÿ→gadÿfehgcaahfdcÿcgbcgfcagechÿc→hhfheehgcbg→chfcbhe→→→fbfÿaef→eheefcÿah→efehe→ffefgfchff→c→cdfhebgcÿÿ→geÿ"
        + "→eadcÿhÿcdcahdcacbfchd→aghfgÿbÿddfafgegb→fa→ÿebe→→fÿefcggÿ→fhccÿgÿhdcÿbfagbfÿÿ→cfÿgggdhehggcÿÿeehegafehechabÿhdea"
        + "cgah→→edhadheceehÿh→ÿbacee→fÿe→ahffÿcaae→hb→daggÿÿhghgde"

    @Test(arguments: [
        ("IY18ZXT1A===", many), ("CeJMIP+h4AQN4EQEN4C4DaBGANAJiwZi2z3wF0BfIA==", "ä→ÿä→ÿä→ÿ {\"a\":[1,2,3,1,2,3]}"),
        ("Q===", ""),
        (longPacked, longText),
    ])
    func `what lz-string compressed is a text again`(packed: String, text: String) throws {
        let found = try LZString.decompressed(Array(packed.utf8), bytesMax: 1000)
        #expect(String(decoding: found, as: UTF8.self) == text)
        // A form makes + a blank.
        #expect(try LZString.decompressed(Array(packed.replacing("+", with: " ").utf8), bytesMax: 1000) == found)
    }

    @Test func `it makes no more than it may`() throws {
        let packed = Array("IY18ZXT1A===".utf8)
        #expect(try LZString.decompressed(packed, bytesMax: 64).count == 64)
        #expect(throws: Refusal.self) { try LZString.decompressed(packed, bytesMax: 63) }
    }

    @Test(arguments: [UInt64(1), 2, 3]) func `anything else is an error or a text`(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let characters = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=".utf8)
        var (texts, errors) = (0, 0)
        for _ in 0..<3000 {
            let count = Int.random(in: 0...60, using: &random)
            let packed = (0..<count).map { _ in characters[Int.random(in: 0..<characters.count, using: &random)] }
            guard let text = try? LZString.decompressed(packed, bytesMax: 4096) else {
                errors += 1
                continue
            }
            texts += 1
            #expect(text.count <= 4096)
        }
        #expect(texts > 10 && errors > 10)
    }
}
