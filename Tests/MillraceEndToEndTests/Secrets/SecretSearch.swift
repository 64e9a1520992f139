import FoundationEssentials
import Testing

/// Words that nobody may see, and the places where one looks for them.
struct SecretSearch {
    /// By what they are the secret of.
    private(set) var markers: [String: String]
    /// What was found at each place.
    private(set) var places: [String: String] = [:]

    /// A word that is nowhere but where a test puts it.
    static func word(_ what: String) -> String { "x\(what)x" + String(UInt64.random(in: 0 ... .max), radix: 36) + "x" }

    init(_ markers: [String: String]) {
        self.markers = markers
    }

    mutating func add(marker: String, of what: String) {
        markers[what] = marker
    }

    mutating func add(_ text: String, as place: String) {
        places[place, default: ""] += text + "\n"
    }

    /// Where `word` is, also in base64 as Basic authentication has it.
    func places(of word: String) -> [String] {
        // Whichever of the three offsets it begins at, the middle of its base64 is one of these.
        let encoded = (0..<3).map { offset in
            let text = Data(Array(repeating: 0x61, count: offset) + Array(word.utf8)).base64EncodedString()
            return String(text.dropFirst(4).dropLast(8))
        }
        return places.filter { place in ([word] + encoded).contains { place.value.contains($0) } }.keys.sorted()
    }

    func expectNothing(sourceLocation: SourceLocation = #_sourceLocation) {
        for (what, marker) in markers {
            let found = places(of: marker)
            #expect(found.isEmpty, "\(what) is in \(found)", sourceLocation: sourceLocation)
        }
    }
}
