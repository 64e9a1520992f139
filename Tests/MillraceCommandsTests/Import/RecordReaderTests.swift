import MillraceTestSupport
import Testing

@testable import MillraceCommands

struct RecordReaderTests {
    /// What comes out of `text` when it arrives in pieces; `recordBytesMax` small, so that much is dropped.
    private func read(_ text: String, pieceBytes: Int, holdsLines: Bool = false, recordBytesMax: Int = 64) throws
        -> [String]
    {
        let pipe = InputPipe(Array(text.utf8), pieceBytes: pieceBytes)
        let reader = RecordReader(
            descriptor: pipe.descriptor, holdsLines: holdsLines, recordBytesMax: recordBytesMax,
            isCollection: { ["users", "cart_items"].contains($0) }, isRecordName: { Int($0) != nil })
        var found: [String] = []
        while true {
            switch reader.next() {
            case .record(let bytes, let collection, let key, let place):
                let index = place.index.map { "\($0)" } ?? "-"
                found.append(
                    "\(collection ?? "-")[\(index)]\(key.map { "=\($0)" } ?? "") \(place.line):\(place.column) @\(place.offsetBytes) "
                        + String(decoding: bytes, as: UTF8.self))
            case .tooLong(let collection, let place):
                found.append("\(collection ?? "-") too long \(place.line):\(place.column) @\(place.offsetBytes)")
            case .unknownMember(let name, let place): found.append("unknown \(name) \(place.line):\(place.column)")
            case .broken(let message, let place):
                found.append("\(message) \(place.line):\(place.column) @\(place.offsetBytes)")
            case .needsInput: try reader.read()
            case .ended: return found
            }
        }
    }

    private static let long = String(repeating: "y", count: 300)

    @Test(arguments: [
        (
            "[{\"a\":1} ,\n {\"b\":\"],\\\"\"}\n,3]\n",
            ["-[0] 1:2 @1 {\"a\":1}", "-[1] 2:2 @12 {\"b\":\"],\\\"\"}", "-[2] 3:2 @26 3"]
        ),
        (
            "{\"v\":1, \"users\" : [ {\"id\":1} , {\"id\":2}],\"other\":[1],\"cartItems\":[{}]}",
            [
                "users[0] 1:21 @20 {\"id\":1}", "users[1] 1:32 @31 {\"id\":2}", "unknown other 1:50",
                "cart_items[0] 1:67 @66 {}",
            ]
        ),
        (
            "{\"users\" : { \"a\\\"b\" : {\"v\":1} ,\n\"2\":{} }, \"cart_items\":{},\"other\":{}}",
            ["users[0]=a\"b 1:23 @22 {\"v\":1}", "users[1]=2 2:5 @36 {}", "unknown other 2:35"]
        ),
        (
            "{\"7\":{\"users\":[1]},\"8\":{}}\n",
            ["-[0]=7 1:6 @5 {\"users\":[1]}", "-[1]=8 1:24 @23 {}"]
        ),
        ("{\"users\":{\"a\":1}}\n", ["-[-] 1:1 @0 {\"users\":{\"a\":1}}"]),
        (
            "{\"id\":1,\"tags\":[1]}\n{\"id\":2}\nnonsense\n",
            ["-[-] 1:1 @0 {\"id\":1,\"tags\":[1]}", "-[-] 2:1 @20 {\"id\":2}", "-[-] 3:1 @29 nonsense"]
        ),
        ("[{\"a\":\"\(long)\"}, {\"b\":1}]", ["- too long 1:2 @1", "-[1] 1:312 @311 {\"b\":1}"]),
        ("{\"a\":\"\(long)\"}\n{\"b\":1}", ["- too long 1:1 @0", "-[-] 2:1 @309 {\"b\":1}"]),
        ("{\"a\":\"\(long)\",\"users\":[{\"b\":1}]}", ["users[0] 1:318 @317 {\"b\":1}"]),
        ("[{\"a\":1}", ["-[0] 1:2 @1 {\"a\":1}", "the file ends before the array does 1:9 @8"]),
        ("[{\"a\":1},\n{\"b\":", ["-[0] 1:2 @1 {\"a\":1}", "the file ends in the middle of a record 2:1 @10"]),
    ])
    func `records and places are the same however the file arrives`(text: String, found: [String]) throws {
        // 311: of the first text that is too long for a record, up to amid the next name.
        for pieceBytes in [1, 2, 3, 7, 64, 311, 4096] {
            #expect(try read(text, pieceBytes: pieceBytes) == found, "pieces of \(pieceBytes)")
        }
    }

    @Test func `a line that is too long is dropped, and the next is whole`() throws {
        for pieceBytes in [1, 5, 4096] {
            #expect(
                try read("{\"a\":1}\n\(Self.long)\r\n \r\n{\"b\":2}", pieceBytes: pieceBytes, holdsLines: true)
                    == ["-[-] 1:1 @0 {\"a\":1}", "- too long 2:1 @8", "-[-] 4:1 @313 {\"b\":2}"])
        }
    }
}
