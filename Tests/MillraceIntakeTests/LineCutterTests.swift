import MillraceEvent
import MillraceTestSupport
import Testing

@testable import MillraceIntake

struct LineCutterTests {
    private static let lineBytesMax = 12
    private static let prefixBytesMax = 5

    /// What a cutter makes of `pieces`, as text; offsets of whole lines are checked against its bytes.
    private func cut(_ pieces: [[UInt8]]) -> [String] {
        let lines = cut(pieces, compacts: false)
        #expect(cut(pieces, compacts: true) == lines)
        return lines
    }

    /// `compacts`: after each piece, as where memory is scarce.
    private func cut(_ pieces: [[UInt8]], compacts: Bool) -> [String] {
        var cutter = LineCutter(lineBytesMax: Self.lineBytesMax, prefixBytesMax: Self.prefixBytesMax)
        var lines: [String] = []
        func take(_ line: LineCutter.Line, of bytes: UnsafeRawBufferPointer) {
            switch line {
            case .whole(let line, let offset):
                lines.append(String(decoding: line, as: UTF8.self))
                if let offset {
                    #expect(bytes[offset..<offset + line.count].elementsEqual(line))
                    #expect(bytes[offset + line.count] == UInt8(ascii: "\n"))
                }
            case .tooLong(let prefix, let byteCount):
                lines.append("\(String(decoding: prefix, as: UTF8.self))… of \(byteCount)")
            }
        }
        for piece in pieces {
            piece.withUnsafeBytes { cutter.append($0) }
            while let line = cutter.next() { take(line, of: cutter.bytes) }
            cutter.release()
            if compacts {
                cutter.compact()
                #expect(cutter.heldBytes <= cutter.openBytes + EventParser.paddingBytes)
            }
        }
        if let line = cutter.last() { take(line, of: cutter.bytes) }
        cutter.release()
        #expect(cutter.bytes.isEmpty)
        return lines
    }

    @Test(arguments: [
        ("", []), ("\n\r\n\n", []), ("a\nb", ["a", "b"]), ("a\r\nb\r", ["a", "b"]), ("\r\r\n \t\n", []),
        ("\u{FEFF}\na", ["a"]), ("\u{FEFF}a\n\u{FEFF}b\n", ["a", "\u{FEFF}b"]),
        ("0123456789abcdef\nb\n", ["0123456789abcdef", "b"]),
    ])
    func `a stream in one piece gives its lines`(stream: String, lines: [String]) {
        #expect(cut([Array(stream.utf8)]) == lines)
    }

    @Test func `of a line that is too long its first bytes and its length are kept`() {
        let pieces = ["0123456789", "abcd", "ef", "gh\r\nb\n"].map { Array($0.utf8) }
        #expect(cut(pieces) == ["01234… of 18", "b"])
        #expect(cut(pieces.dropLast()) == ["01234… of 16"])
    }

    @Test(arguments: [UInt64.random(in: 0 ... .max)])
    func `wherever a stream is chopped, short lines are the same`(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        for _ in 0..<2000 {
            let lines = (0..<Int.random(in: 0...6, using: &random)).map { _ in
                String(repeating: "x", count: Int.random(in: 0...Self.lineBytesMax, using: &random))
            }
            let ends = lines.map { $0 + (Bool.random(using: &random) ? "\n" : "\r\n") }
            var rest = Array(ends.joined().utf8)[...]
            var pieces: [[UInt8]] = []
            while !rest.isEmpty {
                let piece = rest.prefix(Int.random(in: 1...rest.count, using: &random))
                pieces.append(Array(piece))
                rest = rest.dropFirst(piece.count)
            }
            #expect(cut(pieces) == lines.filter { !$0.isEmpty }, "seed \(seed), pieces \(pieces)")
        }
    }
}
