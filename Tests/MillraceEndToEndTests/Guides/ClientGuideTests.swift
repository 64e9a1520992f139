import MillraceTestSupport
import Testing

extension EndToEnd {
    /// The Swift code of the guides is code that is compiled here, and the first example is run.
    struct ClientGuideTests {
        private static func page(_ name: String) throws -> GuidePage {
            try #require(GuidePage.guides.first { $0.path.hasSuffix("/\(name).md") })
        }

        @Test func `the example of the first event is the program that is built, and does what it says`() throws {
            let shown = try Self.page("FirstEvent").texts(of: "swift")
            #expect(shown == [TextFile.read("\(Repository.root)/Tests/ClientExample/main.swift")])

            let installation = try Installation("client_example")
            try installation.daemon.start()
            guard case .port(let port) = installation.daemon.tcp else { throw TestSupportError(message: "no port") }
            let binary = try MillraceBinary.path
            let program = binary.prefix(through: binary.lastIndex(of: "/") ?? binary.startIndex) + "client-example"
            let scratch = try ScratchDirectory()
            let process = try SpawnedProcess(
                String(program), ["\(port)", scratch.path], mark: scratch.path, output: scratch.path + "/out",
                errors: scratch.path + "/err")
            #expect(
                try process.waitForExit(within: .seconds(60)) == .status(0), "\(TextFile.read(scratch.path + "/err"))")
            let output = TextFile.read(scratch.path + "/out")
            #expect(output.hasPrefix("accepted: 3\nrefused: invalid_event_type: "), "\(output)")
            try installation.auditor.waitForSettled(5)
            #expect(
                try installation.auditor.strings(
                    "SELECT event_type || ' ' || count(*) FROM analytics_events GROUP BY event_type ORDER BY 1")
                    == ["order.paid 1", "page.viewed 3"])
        }

        @Test func `what the guide to the client shows of a server compiles`() throws {
            let shown = try #require(try Self.page("SwiftClient").texts(of: "swift").first)
            let source = TextFile.read("\(Repository.root)/Tests/MillraceEndToEndTests/Client/ClientSnippets.swift")
            let indented = shown.split(separator: "\n").map { "        \($0)\n" }.joined()
            #expect(source.contains(indented), "\(indented)")
        }
    }
}
