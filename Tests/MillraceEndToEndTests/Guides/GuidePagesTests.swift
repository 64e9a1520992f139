import FoundationEssentials
import MillraceTestSupport
import Testing

extension EndToEnd {
    /// The pages beside the sources: what the one names is in the other.
    struct GuidePagesTests {
        @Test func `README is a page that is read in one go, and so is CONTRIBUTING`() {
            #expect(Self.lines(of: "README.md") <= 180)
            #expect(Self.lines(of: "CONTRIBUTING.md") <= 80)
        }

        @Test(arguments: GuidePage.all)
        func `a link leads to a file that is there, and to a heading of it`(page: GuidePage) {
            let folder = page.path.split(separator: "/").dropLast().joined(separator: "/")
            for link in page.links {
                let parts = link.split(separator: "#", maxSplits: 1, omittingEmptySubsequences: false)
                let path = parts[0].isEmpty ? page.path : Self.normalized("\(folder)/\(parts[0])")
                let isThere = FileManager.default.fileExists(atPath: "\(Repository.root)/\(path)")
                #expect(isThere, "\(page.path): \(link)")
                guard parts.count == 2, let target = GuidePage.all.first(where: { $0.path == path }) else { continue }
                #expect(target.anchors.contains(String(parts[1])), "\(page.path): \(link)")
            }
        }

        @Test(arguments: GuidePage.all) func `a block of commands or code that is not run says why`(page: GuidePage) {
            let known = [
                "sh", "sh network", "sql", "swift", "text", "console", "toml", "ini", "json", "yaml", "html", "js",
            ]
            for (info, line) in page.infos where !known.contains(info) {
                #expect(info.wholeMatch(of: #/[a-z]+ norun: .{8,}/#) != nil, "\(page.path):\(line): \(info)")
            }
        }

        @Test func `a block of configuration is one that the daemon takes`() throws {
            let scratch = try ScratchDirectory()
            let file = scratch.path + "/config.toml"
            var count = 0
            for page in GuidePage.guides {
                for text in page.texts(of: "toml") {
                    count += 1
                    try TextFile.write(text, to: file)
                    // No server is there; what `check` finds wrong of that doesn't matter.
                    let run = try CommandRun(
                        ["check", "--json", "--config", file, "--set", "database.url=host=/nowhere"], in: scratch)
                    #expect(run.exit != .status(2), "\(page.path): \(text)\n\(run.errors)")
                }
            }
            #expect(count > 5)
        }

        @Test(arguments: GuidePage.all) func `a metric that a page names is in the sources`(page: GuidePage) {
            let sources = SourceText.swift(under: "Sources/MillraceTelemetry")
            for word in page.words {
                guard let match = word.wholeMatch(of: #/(millrace_[a-z_]+)(?:\{.*)?/#),
                    !Self.names.contains(String(match.output.1))
                else { continue }
                #expect(sources.contains { $0.contains(match.output.1) }, "\(page.path): \(word)")
            }
        }

        @Test func `every error code of the sources is in Troubleshooting`() throws {
            let page = try #require(GuidePage.guides.first { $0.path.hasSuffix("/Troubleshooting.md") })
            let codes = SourceText.errorCodes
            #expect(codes.count > 100)
            #expect(codes.subtracting(page.words.map { String($0) }).sorted() == [])
        }

        @Test func `every code in Troubleshooting is in the sources`() throws {
            let page = try #require(GuidePage.guides.first { $0.path.hasSuffix("/Troubleshooting.md") })
            var known: Set<Substring> = []
            for text in SourceText.swift(under: "Sources") {
                for line in text.split(separator: "\n" as Character) {
                    known.formUnion(line.split(separator: "\"" as Character))
                    if let head = line.firstRange(of: "case ") { known.insert(line[head.upperBound...]) }
                }
            }
            for code in page.firstColumns where code.wholeMatch(of: #/[a-z]+(_[a-z]+)*/#) != nil {
                #expect(known.contains(code), "\(code)")
            }
        }

        @Test func `a test that SECURITY names is there`() throws {
            let page = try #require(GuidePage.all.first { $0.path == "SECURITY.md" })
            let files = try FileManager.default.subpathsOfDirectory(atPath: "\(Repository.root)/Tests")
            let tests = Set(files.compactMap { $0.split(separator: "/").last })
            let named = page.words.filter { $0.hasSuffix("Tests") }
            #expect(named.count > 10)
            #expect(named.filter { !tests.contains("\($0).swift") } == [])
        }

        /// Of the database, not metrics.
        private static let names: Set<String> = [
            "millrace_admin", "millrace_database", "millrace_identity", "millrace_index", "millrace_migrations",
            "millrace_migrator", "millrace_owner", "millrace_reader", "millrace_tenant", "millrace_writer",
        ]

        private static func lines(of path: String) -> Int {
            TextFile.read("\(Repository.root)/\(path)").split(separator: "\n", omittingEmptySubsequences: false).count
                - 1
        }

        /// Without `..`.
        private static func normalized(_ path: String) -> String {
            var parts: [Substring] = []
            for part in path.split(separator: "/") {
                if part == ".." { parts.removeLast() } else { parts.append(part) }
            }
            return parts.joined(separator: "/")
        }
    }
}
