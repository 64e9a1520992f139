import MillraceTestSupport
import Testing

extension EndToEnd {
    struct GuideTests {
        @Test func `the first event: what README tells its reader to type works, and prints what it says`() throws {
            try Self.check(.readme, in: GuideShell(on: nil))
        }

        /// One daemon a page: later blocks see what earlier ones sent.
        @Test(.startsFirst) func `what the guides tell their readers to type works, and prints what they say`() throws {
            // A server without fsync is none for `check`.
            let cluster = try TestCluster(isDurable: true)
            for page in GuidePage.guides where !page.blocks.isEmpty {
                try Self.check(page, in: GuideShell(on: cluster.database(page.path)))
            }
        }

        @Test func `the queries of the five guides, as the packs' pages translate them, find what the seeds say`()
            throws
        {
            for page in GuidePage.packs {
                #expect(page.blocks.count > 5, "\(page.path)")
                try Self.check(page, in: GuideShell(on: TestCluster.shared.database(page.path)))
            }
        }

        @Test func `the first event, sending and reading are run, not only shown`() {
            for name in ["README.md", "Sending.md", "Reading.md"] {
                let page = GuidePage.all.first { $0.path == name || $0.path.hasSuffix("/" + name) }
                #expect((page?.blocks.count ?? 0) >= 4, "\(name)")
            }
        }

        private static func check(_ page: GuidePage, in shell: GuideShell) throws {
            for block in page.blocks {
                let output = try shell.run(block)
                if let missing = firstMissing(of: block.expected, in: output) {
                    Issue.record("\(page.path):\(block.line) does not print \(missing):\n\(output.prefix(4000))")
                }
            }
            try shell.stop()
        }

        /// The parts of `lines` between `…` in their order; nil when all are there. Spaces at the ends don't count.
        private static func firstMissing(of lines: [Substring], in output: String) -> Substring? {
            var rest = output[...]
            for part in lines.flatMap({ $0.split(separator: "…") }) {
                let wanted = part.trimmingPrefix(while: \.isWhitespace)
                let end = wanted.lastIndex { !$0.isWhitespace }
                guard let end else { continue }
                guard let found = rest.firstRange(of: wanted[...end]) else { return wanted }
                rest = rest[found.upperBound...]
            }
            return nil
        }
    }
}
