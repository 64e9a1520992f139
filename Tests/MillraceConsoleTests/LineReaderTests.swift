import MillraceTestSupport
import Testing

@testable import MillraceConsole

struct LineReaderTests {
    private func lines(_ bytes: [UInt8], pieceBytes: Int = 4096) throws -> [LineReader.Next] {
        let pipe = InputPipe(bytes, pieceBytes: pieceBytes)
        var reader = LineReader(descriptor: pipe.descriptor)
        var found: [LineReader.Next] = []
        while true {
            switch try reader.next() {
            case .line(let line, let number): found.append(.line(ArraySlice(Array(line)), number: number))
            case .tooLong(let number): found.append(.tooLong(number: number))
            case .needsInput: try reader.read()
            case .ended: return found
            }
        }
    }

    private func texts(_ bytes: [UInt8], pieceBytes: Int = 4096) throws -> [String] {
        try lines(bytes, pieceBytes: pieceBytes).map { next in
            if case .line(let line, _) = next { String(decoding: line, as: UTF8.self) } else { "?" }
        }
    }

    @Test func `line endings are cut, empty lines skipped and counted, the last line needs no ending`() throws {
        let found = try lines(Array("a\r\n\n\r\nb\nc".utf8), pieceBytes: 1)
        #expect(
            found == [
                .line(ArraySlice("a".utf8), number: 1), .line(ArraySlice("b".utf8), number: 4),
                .line(ArraySlice("c".utf8), number: 5),
            ])
    }

    @Test(arguments: [1, 7, 65536]) func `gzip and zstd are recognized by their first bytes`(pieceBytes: Int) throws {
        // Large enough to fill the decoder's output more than once.
        let expected = (0..<40_000).map { "line \($0) of the input" }
        let plain = Array(expected.joined(separator: "\n").utf8)
        let pieces = pieceBytes == 1 ? Array(expected.prefix(50)) : expected
        let bytes = pieceBytes == 1 ? Array(pieces.joined(separator: "\n").utf8) : plain
        #expect(try texts(Compression.gzip.compress(bytes), pieceBytes: pieceBytes) == pieces)
        #expect(try texts(Compression.zstd.compress(bytes), pieceBytes: pieceBytes) == pieces)
    }

    @Test func `gzip members one after the other are one input`() throws {
        #expect(
            try texts(Compression.gzip.compress(Array("a\nb".utf8)) + Compression.gzip.compress(Array("c\nd\n".utf8)))
                == ["a", "bc", "d"])
    }

    @Test func `a cut gzip file gives what is whole and then an error`() throws {
        let whole = try Compression.gzip.compress((0..<20_000).flatMap { Array("line \($0)\n".utf8) })
        #expect(throws: CommandError.self) { try texts(Array(whole.dropLast(100))) }
        #expect(throws: CommandError.self) { try texts(whole[..<50] + [0xFF, 0xFF, 0xFF] + whole[53...]) }
    }

    @Test func `a line longer than any daemon takes is dropped and named`() throws {
        let long = [UInt8](repeating: UInt8(ascii: "x"), count: LineReader.lineBytesMax + 1)
        let found = try lines(Array("a\n".utf8) + long + Array("\nb\n".utf8), pieceBytes: 1 << 20)
        #expect(
            found == [
                .line(ArraySlice("a".utf8), number: 1), .tooLong(number: 2), .line(ArraySlice("b".utf8), number: 3),
            ])
    }
}
