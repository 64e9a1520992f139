import FoundationEssentials
import MillraceClient
import MillraceAPI
import Testing

@testable import MillraceCommands

struct MCPStateMachineTests {
    private typealias JSON = MillraceClient.JSONValue

    private static let initialize =
        #"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{}}}"#

    private func machine(_ version: String? = "2025-06-18") throws -> MCPStateMachine {
        var machine = MCPStateMachine(serverVersion: "1.2.3")
        guard let version else { return machine }
        let actions = machine.received(Self.initialize.replacing("2025-06-18", with: version).utf8)
        let answer = try #require(try written(actions).first)
        #expect(answer["result"]?["protocolVersion"] == .string(version))
        return machine
    }

    private func call(_ id: Int, _ tool: String = "counts", _ arguments: String = "{}") -> String.UTF8View {
        #"{"jsonrpc":"2.0","id":\#(id),"method":"tools/call","params":{"name":"\#(tool)","arguments":\#(arguments)}}"#
            .utf8
    }

    /// What goes to standard output, each a JSON text of one line.
    private func written(_ actions: [MCPStateMachine.Action]) throws -> [JSON] {
        try actions.compactMap { action in
            guard case .write(let line) = action else { return nil }
            #expect(!line.contains(UInt8(ascii: "\n")))
            return try JSONDecoder().decode(JSON.self, from: Data(line))
        }
    }

    private func calls(_ actions: [MCPStateMachine.Action]) -> [Int] {
        actions.compactMap { if case .call(let call) = $0 { call.number } else { nil } }
    }

    private func code(_ actions: [MCPStateMachine.Action]) throws -> [JSON?] {
        try written(actions).map { $0["error"]?["code"] }
    }

    // MARK: Beginning

    @Test(
        arguments: [
            ("2025-11-25", "2025-11-25"), ("2025-06-18", "2025-06-18"), ("2025-03-26", "2025-03-26"),
            ("2024-11-05", "2024-11-05"), ("1999-01-01", "2025-11-25"), ("2099-01-01", "2025-11-25"),
        ])
    func `a version that is known is spoken, and of another one the newest is offered`(asked: String, spoken: String)
        throws
    {
        var machine = MCPStateMachine(serverVersion: "1.2.3")
        let actions = machine.received(Self.initialize.replacing("2025-06-18", with: asked).utf8)
        let result = try #require(try written(actions).first?["result"])
        #expect(result["protocolVersion"] == .string(spoken))
        #expect(result["capabilities"] == ["tools": [:]])
        #expect(result["serverInfo"]?["name"] == "millrace" && result["serverInfo"]?["version"] == "1.2.3")
    }

    @Test func `before initialize only ping is answered, and a second initialize is refused`() throws {
        var machine = try machine(nil)
        #expect(try code(machine.received(call(1))) == [.integer(-32600)])
        // How clients of newer versions find out that there is a handshake.
        let discover = #"{"jsonrpc":"2.0","id":1,"method":"server/discover"}"#
        #expect(try code(machine.received(discover.utf8)) == [.integer(-32601)])
        let ping = #"{"jsonrpc":"2.0","id":"p","method":"ping"}"#
        #expect(machine.received(ping.utf8) == [.write(Array(#"{"jsonrpc":"2.0","id":"p","result":{}}"#.utf8))])
        let bad = #"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{}}"#
        #expect(try code(machine.received(bad.utf8)) == [.integer(-32602)])
        _ = machine.received(Self.initialize.utf8)
        #expect(machine.received(#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#.utf8) == [])
        #expect(try code(machine.received(Self.initialize.utf8)) == [.integer(-32600)])
    }

    // MARK: Messages

    @Test(
        arguments: [
            ("{", -32700, "null"), ("nonsense", -32700, "null"), ("\u{0}", -32700, "null"),
            (#"{"a":1"#, -32700, "null"),
            ("7", -32600, "null"), ("null", -32600, "null"), ("[]", -32600, "null"), ("{}", -32600, "null"),
            (#"{"id":1,"method":"ping"}"#, -32600, "null"),
            (#"{"jsonrpc":"1.0","id":1,"method":"ping"}"#, -32600, "null"),
            (#"{"jsonrpc":"2.0","id":1}"#, -32600, "1"), (#"{"jsonrpc":"2.0","id":1,"method":7}"#, -32600, "1"),
            (#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#, -32600, "null"),
            (#"{"jsonrpc":"2.0","id":1.5,"method":"ping"}"#, -32600, "null"),
            (#"{"jsonrpc":"2.0","id":{},"method":"ping"}"#, -32600, "null"),
            (#"{"jsonrpc":"2.0","id":"x","method":"ping","params":[1]}"#, -32600, "\"x\""),
            (#"{"jsonrpc":"2.0","id":1,"method":"resources/list"}"#, -32601, "1"),
            (#"{"jsonrpc":"2.0","id":1,"method":"tools/call"}"#, -32602, "1"),
            (#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"drop_tables"}}"#, -32602, "1"),
            (#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"counts","arguments":[]}}"#, -32602, "1"),
        ])
    func `what is no request is told so, with its id where it has one`(line: String, code: Int, id: String) throws {
        var machine = try machine("2024-11-05")
        let answers = machine.received(line.utf8)
        #expect(try self.code(answers) == [.integer(code)], "\(line)")
        guard case .write(let text)? = answers.first else { return }
        #expect(
            String(decoding: text, as: UTF8.self).hasPrefix(#"{"jsonrpc":"2.0","id":\#(id),"error":{"code":\#(code),"#))
    }

    @Test func `depth, length and bytes that are no text end nothing`() throws {
        var machine = try machine()
        let deep = String(repeating: "[", count: 100_000) + String(repeating: "]", count: 100_000)
        #expect(try code(machine.received(deep.utf8)) == [.integer(-32700)])
        #expect(try code(machine.received([0xFF, 0xFE, 0x7B])) == [.integer(-32700)])
        let long = "\"" + String(repeating: "x", count: MCPStateMachine.lineBytesMax) + "\""
        #expect(try code(machine.received(long.utf8)) == [.integer(-32600)])
        #expect(calls(machine.received(call(1))) == [1])
    }

    @Test(
        arguments: [
            #"{"jsonrpc":"2.0","method":"notifications/initialized"}"#, #"{"jsonrpc":"2.0","method":"no/such/thing"}"#,
            #"{"jsonrpc":"2.0","method":"tools/list"}"#, #"{"jsonrpc":"2.0","id":7,"result":{}}"#,
            #"{"jsonrpc":"2.0","id":7,"error":{"code":1,"message":"x"}}"#,
            #"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":99}}"#,
            #"{"jsonrpc":"2.0","method":"notifications/cancelled"}"#,
        ])
    func `notifications and answers are never answered`(line: String) throws {
        var machine = try machine()
        #expect(machine.received(line.utf8) == [])
    }

    // MARK: Tools

    @Test func `tools are listed with the schemas of their routes`() throws {
        var machine = try machine()
        let list = try written(machine.received(#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#.utf8))
        guard case .array(let tools)? = list.first?["result"]?["tools"] else {
            Issue.record("\(list)")
            return
        }
        let names = tools.compactMap { $0["name"] }
        let wanted = [
            "list_packs", "counts", "tops", "uniques", "funnels", "retention", "sessions", "paths", "events", "status",
        ]
        for name in wanted { #expect(names.contains(.string(name)), "\(name)") }
        for tool in tools {
            #expect(tool["inputSchema"]?["type"] == "object" && tool["inputSchema"]?["additionalProperties"] == false)
            #expect(tool["annotations"]?["readOnlyHint"] == true)
            guard case .string(let text)? = tool["description"] else {
                Issue.record("\(tool) says nothing of itself")
                continue
            }
            #expect(text.count > 20)
        }
        let counts = try #require(tools.first { $0["name"] == "counts" }?["inputSchema"])
        #expect(counts["required"] == ["pack", "fold"])
        #expect(counts["properties"]?["limit"]?["maximum"] == 1000)
        guard case .string(let doc)? = counts["properties"]?["limit"]?["description"] else {
            Issue.record("limit has no description")
            return
        }
        #expect(doc.hasSuffix("Default: 1000"))
    }

    @Test func `a call is answered with text, whether it went well or not`() throws {
        var machine = try machine()
        let arguments =
            #"{"pack":"analytics","n":2,"on":true,"by":["a","b"],"columns":{"x>":1},"deep":{"a":[1]},"no":null}"#
        let call = MCPStateMachine.Call(
            number: 1, tool: "counts",
            arguments: [
                "pack": .text("analytics"), "n": .text("2"), "on": .text("true"), "by": .list(["a", "b"]),
                "columns": .object(members: ["x>": "1"], json: #"{"x>":1}"#),
                "deep": .object(members: nil, json: #"{"a":[1]}"#),
            ])
        #expect(machine.received(self.call(5, "counts", arguments)) == [.call(call)])
        #expect(
            machine.finished(1, .init(text: "one\n\"two\"")) == [
                .write(
                    Array(
                        #"{"jsonrpc":"2.0","id":5,"result":{"content":[{"type":"text","text":"one\n\"two\""}],"isError":false}}"#
                            .utf8))
            ])
        _ = machine.received(self.call(6))
        let failed = try written(machine.finished(2, .init(text: "why", isError: true)))
        #expect(failed.first?["result"]?["isError"] == true && failed.first?["error"] == nil)
    }

    @Test func `so many calls run at a time, some wait for their turn, and the others are told to come later`() throws {
        var machine = try machine()
        var started: [Int] = []
        for id in 1...MCPStateMachine.callsMax + MCPStateMachine.waitingMax {
            let actions = machine.received(call(id))
            #expect(try written(actions).isEmpty)
            started += calls(actions)
        }
        #expect(started == Array(1...MCPStateMachine.callsMax))
        let late = try written(machine.received(call(1000)))
        #expect(late.first?["result"]?["isError"] == true)
        for number in 1...MCPStateMachine.callsMax + MCPStateMachine.waitingMax {
            started += calls(machine.finished(number, .init(text: "")))
        }
        #expect(started == Array(1...MCPStateMachine.callsMax + MCPStateMachine.waitingMax))
        #expect(calls(machine.received(call(1001))).count == 1)
    }

    @Test func `a cancelled call is not answered, whether it runs or waits, and its id is free again`() throws {
        var machine = try machine()
        for id in 1...MCPStateMachine.callsMax + 1 { _ = machine.received(call(id)) }
        let waiting = MCPStateMachine.callsMax + 1
        for id in [1, waiting, 99] {
            let line =
                #"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":\#(id),"reason":"x"}}"#
            #expect(machine.received(line.utf8) == [])
        }
        // Its id again, while the first one still runs.
        #expect(machine.received(call(1)) == [])
        #expect(try code(machine.received(call(2))) == [.integer(-32600)])
        let actions = machine.finished(1, .init(text: "late"))
        #expect(try written(actions).isEmpty)
        #expect(calls(actions) == [waiting + 1])
        #expect(try written(machine.finished(waiting + 1, .init(text: "new"))).first?["id"] == 1)
    }

    // MARK: Batches

    @Test func `a batch is answered as one list when all of it is, without its notifications`() throws {
        for version in ["2025-03-26", "2024-11-05"] {
            var machine = try machine(version)
            let batch = """
                [\(String(call(1))),{"jsonrpc":"2.0","method":"notifications/initialized"},7,
                {"jsonrpc":"2.0","id":2,"method":"ping"},\(String(call(3))),\(String(call(4)))]
                """.replacing("\n", with: "")
            #expect(calls(machine.received(batch.utf8)) == [1, 2, 3])
            #expect(machine.finished(2, .init(text: "b")) == [])
            let cancel = #"[{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":4}}]"#
            #expect(machine.received(cancel.utf8) == [])
            let answer = try #require(try written(machine.finished(1, .init(text: "a"))).first)
            guard case .array(let answers) = answer else {
                Issue.record("\(answer)")
                continue
            }
            #expect(answers.map { $0["id"] } == [.null, 2, 3, 1])
            #expect(machine.finished(3, .init(text: "c")) == [])
        }
    }

    @Test func `a batch of notifications has no answer, initialize is not in one, and the newest version has none`()
        throws
    {
        var machine = try machine("2025-03-26")
        #expect(machine.received(#"[{"jsonrpc":"2.0","method":"notifications/initialized"}]"#.utf8) == [])
        #expect(try code(machine.received("[]".utf8)) == [.integer(-32600)])
        var new = try self.machine(nil)
        let answers = try written(new.received("[\(Self.initialize)]".utf8))
        guard case .array(let list)? = answers.first else {
            Issue.record("\(answers)")
            return
        }
        #expect(list.first?["error"]?["code"] == -32600)
        for version in ["2025-06-18", "2025-11-25"] {
            var newer = try self.machine(version)
            #expect(try code(newer.received(#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#.utf8)) == [.integer(-32600)])
        }
    }
}

extension MillraceClient.JSONValue {
    /// A member of an object; nil for what has none.
    fileprivate subscript(_ name: String) -> Self? {
        if case .object(let members) = self { members[name] } else { nil }
    }
}
