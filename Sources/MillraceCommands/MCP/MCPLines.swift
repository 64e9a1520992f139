/// Cuts standard input into lines. Blank ones are left out; of one that is too long, only that it was is kept.
struct MCPLines {
    enum Piece: Equatable {
        /// Without its end.
        case line([UInt8])
        case tooLong
    }

    private let bytesMax: Int
    private var line: [UInt8] = []
    private var isTooLong = false

    /// `bytesMax`: of a line.
    init(bytesMax: Int = MCPStateMachine.lineBytesMax) {
        self.bytesMax = bytesMax
    }

    /// What was read, in pieces of any size; the lines that end in it.
    mutating func take(_ bytes: ArraySlice<UInt8>) -> [Piece] {
        var pieces: [Piece] = []
        var rest = bytes
        while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
            keep(rest[..<end])
            rest = rest[(end + 1)...]
            if isTooLong {
                pieces.append(.tooLong)
            } else if line.contains(where: { $0 != 0x20 && $0 != 0x09 && $0 != 0x0D }) {
                pieces.append(.line(line))
            }
            (line, isTooLong) = ([], false)
        }
        keep(rest)
        return pieces
    }

    private mutating func keep(_ bytes: ArraySlice<UInt8>) {
        guard !isTooLong, line.count + bytes.count <= bytesMax else {
            (line, isTooLong) = ([], true)
            return
        }
        line += bytes
    }
}
