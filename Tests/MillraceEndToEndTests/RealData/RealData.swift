import MillraceTestSupport

/// The real input, which lies beside the repository.
struct RealData: Sendable {
    static let editCount = 39_244
    static let saveCount = 13_295

    /// Lines, each ended by `\n`.
    let edits: [UInt8]
    let saves: [UInt8]

    private static let result = Result { try RealData() }

    static var shared: RealData {
        get throws { try result.get() }
    }

    private init() throws {
        edits = try Self.read("wikipedia-edits.ndjson.gz", count: Self.editCount)
        saves = try Self.read("conversation-saves.ndjson.gz", count: Self.saveCount)
    }

    private static func read(_ name: String, count: Int) throws -> [UInt8] {
        let directory = Environment.string("MILLRACE_TEST_DATA") ?? Repository.root + "/../shared/data"
        let file = TextFile.bytes("\(directory)/\(name)")
        guard !file.isEmpty else {
            throw TestSupportError(
                message: "There is no \(name) in ../shared/data beside the repository: put it there, or set "
                    + "MILLRACE_TEST_DATA to its directory.")
        }
        let lines = try Compression.gunzip(file)
        guard lines.count(where: { $0 == UInt8(ascii: "\n") }) == count else {
            throw TestSupportError(message: "\(name) does not have \(count) lines")
        }
        return lines
    }
}
