import MillraceTestSupport
import NIOCore
import Testing

@testable import MillraceAPI

struct PageFileTests {
    @Test(
        arguments: [
            ("gzip", true), ("br, gzip", true), ("GZIP;q=0.1", true), ("*", true), ("gzip; q=1.0, *;q=0", true),
            (nil, false),
            ("", false), ("br", false), ("gzip;q=0", false), ("*, gzip;q=0", false), ("*;q=0", false), ("xgzip", false),
        ] as [(String?, Bool)])
    func `gzip is sent to who takes it`(accepted: String?, isTaken: Bool) {
        #expect(PageFile.takesGzip(accepted) == isTaken)
    }

    @Test func `what is compressed is the same again, and what gains nothing is not compressed`() throws {
        for bytes in [[], [0], Array("<p>".utf8), Array(repeating: UInt8(ascii: "a"), count: 100_000)] as [[UInt8]] {
            #expect(try Compression.gunzip(#require(Gzip.compressed(bytes))) == bytes)
        }
        #expect(PageFile(type: "t", bytes: Array("<p>".utf8)).gzip == nil)
        let file = PageFile(type: "t", bytes: Array(repeating: 0x20, count: 10_000))
        #expect(try #require(file.gzip).readableBytes < 100)
    }

    @Test func `every file of the page is there, and the page names no other`() throws {
        let page = try #require(PageFile.all[PageFile.index])
        let names = String(buffer: page.plain).matches(of: #/"\/page\/([a-z.]+)"/#).map { String($0.output.1) }
        #expect(Set(names).isSubset(of: PageFile.all.keys))
        #expect(PageFile.all.values.allSatisfy { $0.plain.readableBytes > 0 })
        #expect(PageFile.all["dygraph.js"]?.plain.readableBytes ?? 0 > 50_000)
    }
}
