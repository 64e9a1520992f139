import CFuzz
import FoundationEssentials
import Testing

/// Replays the inputs that `make fuzz` found worth keeping, without its sanitizers. One folder after the other: the checks
/// keep a parser, an encoder and an extractor for the process, as a fuzzer wants it.
struct FuzzCorpusTests {
    @Test(.serialized, arguments: ["corpus", "findings"])
    func `parser, body cut, encoder and extractor agree about what the fuzzer kept`(folder: String) throws {
        let path = #filePath.split(separator: "/").dropLast(2).joined(separator: "/")
        let directory = "/\(path)/Fuzz/\(folder)"
        let names = try FileManager.default.contentsOfDirectory(atPath: directory)
        #expect(!names.isEmpty)
        for name in names.sorted() {
            let input = [UInt8](try #require(FileManager.default.contents(atPath: "\(directory)/\(name)")))
            let wrong = input.withUnsafeBufferPointer { mr_fuzz_case($0.baseAddress, $0.count) }
            if let wrong { Issue.record("\(name): \(String(cString: wrong))") }
        }
    }
}
