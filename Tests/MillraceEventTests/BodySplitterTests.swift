import MillraceTestSupport
import MillraceEvent
import Testing

@Suite struct BodySplitterTests {
    /// What a body falls into.
    private struct Cut: Equatable {
        var items: [String] = []
        var isMalformed = false
        var isComplete = false
    }

    /// Feeds `body` in chunks that end at `borders`.
    private static func cut(_ body: [UInt8], at borders: [Int]) -> Cut {
        var splitter = BodySplitter()
        var cut = Cut()
        var item: [UInt8] = []
        var isOpen = false
        for (start, end) in zip([0] + borders, borders + [body.count]) {
            var chunk = Array(body[start..<end])
            scan: while true {
                switch chunk.withUnsafeBytes({ splitter.next($0) }) {
                case .more(let itemStart):
                    if let itemStart {
                        isOpen = true; item = Array(chunk[itemStart...])
                    } else if isOpen {
                        item += chunk
                    }
                    break scan
                case .item(let itemStart, let itemEnd):
                    cut.items.append(
                        String(decoding: (isOpen ? item : []) + chunk[(itemStart ?? 0)..<itemEnd], as: UTF8.self))
                    isOpen = false
                    item = []
                    chunk.removeFirst(itemEnd)
                case .done: break scan
                case .malformed:
                    cut.isMalformed = true
                    return cut
                }
            }
        }
        cut.isComplete = splitter.isComplete
        return cut
    }

    static let bodies: [(String, [String], isMalformed: Bool, isComplete: Bool)] = [
        ("", [], false, true), ("  \n", [], false, true), ("[]", [], false, true), (" [ ] ", [], false, true),
        ("{}", ["{}"], false, true), (" {\"a\":1}\r\n", ["{\"a\":1}"], false, true),
        ("[{},{}]", ["{}", "{}"], false, true),
        (
            " [ {\"a\":[1,{\"b\":\"]}\\\"[{\"}]} , [2] ,\"x,]\",12 , true]\n",
            ["{\"a\":[1,{\"b\":\"]}\\\"[{\"}]}", "[2]", "\"x,]\"", "12", "true"], false, true
        ),
        ("[\"\\\\\",\"\\\\\\\"\"]", ["\"\\\\\"", "\"\\\\\\\"\""], false, true),
        ("[1", [], false, false), ("[{}", ["{}"], false, false), ("[{},", ["{}"], false, false),
        ("{\"a\":\"}", [], false, false), ("[", [], false, false),
        ("[,]", [], true, false), ("[1,]", ["1"], true, false), ("[1 2]", ["1"], true, false),
        ("{} {}", ["{}"], true, false), ("[] 1", [], true, false), ("]", [], true, false), ("12", [], true, false),
        ("\"a\"", [], true, false), ("[{}}", ["{}"], true, false), ("[}", [], true, false),
    ]

    @Test(arguments: Self.bodies)
    func `a body falls into the same items however it is chunked`(
        body: String, items: [String], isMalformed: Bool, isComplete: Bool
    ) {
        let bytes = Array(body.utf8)
        let expected = Cut(items: items, isMalformed: isMalformed, isComplete: isComplete)
        #expect(Self.cut(bytes, at: []) == expected)
        #expect(Self.cut(bytes, at: Array(bytes.indices.dropFirst())) == expected)
        for first in 0...bytes.count {
            for second in first...bytes.count {
                #expect(Self.cut(bytes, at: [first, second]) == expected, "cut at \(first) and \(second)")
            }
        }
    }

    @Test func `items of a random array come out as they went in`() {
        let seed = UInt64.random(in: 0...UInt64.max)
        print("splitter seed \(seed)")
        var random = SeededGenerator(seed: seed)
        for _ in 0..<200 {
            let items = (0..<Int.random(in: 0...8, using: &random)).compactMap { _ in
                validLines.randomElement(using: &random)
            }
            let body = Array("[\(items.joined(separator: " ,\n"))]".utf8)
            let borders = (0..<Int.random(in: 0...20, using: &random)).map { _ in
                Int.random(in: 0...body.count, using: &random)
            }.sorted()
            #expect(Self.cut(body, at: borders) == Cut(items: items, isComplete: true), "seed \(seed)")
        }
    }

    @Test func `too many open brackets are refused`() {
        let open = [UInt8](repeating: UInt8(ascii: "["), count: (1 << 20) + 2)
        #expect(Self.cut(open, at: []).isMalformed)
        #expect(!Self.cut(Array(open.dropLast()), at: []).isMalformed)
    }
}
