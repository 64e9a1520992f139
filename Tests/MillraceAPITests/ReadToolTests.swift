import MillraceAPI
import Testing

struct ReadToolTests {
    private static func tool(_ name: String) throws -> ReadTool {
        try #require(ReadTool.all.first { $0.name == name })
    }

    @Test func `each tool has a name of its own, says what it answers, and reads`() {
        #expect(Set(ReadTool.all.map(\.name)).count == ReadTool.all.count)
        for tool in ReadTool.all {
            #expect(tool.name.wholeMatch(of: #/[a-z_]{1,40}/#) != nil)
            #expect(!tool.description.isEmpty)
        }
    }

    @Test(
        arguments: [
            ("list_packs", [:], "/v1/packs"),
            (
                "counts", ["pack": .text("analytics"), "fold": .text("events_by_hour"), "by": .list(["a", "b"])],
                "/v1/counts/analytics/events_by_hour?by=a%2Cb"
            ),
            // What a stranger gives stays what it is, wherever it stands.
            (
                "counts", ["pack": .text("../x?y=1#"), "fold": .text("a/b\r\nHost: c"), "to": .text("2026+01&x=ü")],
                "/v1/counts/..%2Fx%3Fy%3D1%23/a%2Fb%0D%0AHost%3A%20c?to=2026%2B01%26x%3D%C3%BC"
            ),
            (
                "tops",
                [
                    "pack": .text("p"), "fold": .text("f"), "limit": .text("5"),
                    "columns": .object(members: ["n>": "3", "type!": "a b"], json: ""),
                ], "/v1/tops/p/f?n%3E=3&type%21=a%20b&limit=5"
            ),
            (
                "events", ["payload": .object(members: nil, json: #"{"path":"/"}"#), "event_type": .text("a")],
                "/v1/events?event_type=a&payload=%7B%22path%22%3A%22%2F%22%7D"
            ),
            ("funnels", ["steps": .list(["a,b", "c"])], "/v1/funnels?steps=%5B%22a%2Cb%22%2C%22c%22%5D"),
            ("status", [:], "/readyz"),
        ] as [(String, [String: ReadTool.Argument], String)])
    func `arguments are a path and a query`(name: String, arguments: [String: ReadTool.Argument], target: String) throws
    {
        #expect(try Self.tool(name).target(arguments) == target)
    }

    @Test(
        arguments: [
            ("counts", ["pack": .text("p")], "fold is wanted"), ("counts", ["fold": .text("f")], "pack is wanted"),
            ("counts", ["pack": .text(""), "fold": .text("f")], "pack is wanted"),
            ("counts", ["pack": .list(["p"]), "fold": .text("f")], "pack is wanted"),
            ("tops", ["pack": .text("p"), "fold": .text("f"), "columns": .text("a=1")], "columns is an object"),
            (
                "tops", ["pack": .text("p"), "fold": .text("f"), "columns": .object(members: nil, json: "")],
                "columns is"
            ),
            ("events", ["type": .object(members: [:], json: "{}")], "type takes no object"),
            ("events", ["type": .text(String(repeating: "x", count: 9000))], "longer than"),
        ] as [(String, [String: ReadTool.Argument], String)])
    func `what makes no request is told by name`(name: String, arguments: [String: ReadTool.Argument], words: String)
        throws
    {
        let tool = try Self.tool(name)
        let problem = #expect(throws: ReadTool.Problem.self) { try tool.target(arguments) }
        #expect(problem?.message.contains(words) == true, "\(String(describing: problem))")
    }

    @Test func `a daemon that is not ready is an answer of status alone`() throws {
        #expect(try Self.tool("status").isAnswer(status: 503))
        #expect(try !Self.tool("counts").isAnswer(status: 503))
        for tool in ReadTool.all { #expect(tool.isAnswer(status: 200) && !tool.isAnswer(status: 401)) }
    }
}
