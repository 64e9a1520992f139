import Testing

@testable import MillraceClient
@testable import MillraceCommands
@testable import MillraceConsole

struct SendStateMachineTests {
    private let start = ContinuousClock.now

    private func machine(windowBytesMax: Int = 1000, retryFor: Duration = .seconds(10)) -> SendStateMachine {
        SendStateMachine(windowBytesMax: windowBytesMax, retryFor: retryFor, keptMax: 2)
    }

    private func greet(_ machine: inout SendStateMachine) throws {
        machine.connected()
        try machine.received(ServerMessage(hello: .init(server: "millrace", version: "1")), at: start)
    }

    /// Takes everything that may go out.
    private func sent(_ machine: inout SendStateMachine) -> String {
        var text = ""
        while machine.hasBytesToSend {
            machine.sendUnsent { bytes in
                text += String(decoding: bytes, as: UTF8.self)
                return bytes.count
            }
        }
        return text
    }

    @Test func `nothing goes out before the greeting is answered`() throws {
        var machine = machine()
        machine.lineRead("a".utf8, number: 1)
        machine.connected()
        #expect(!machine.hasBytesToSend)
        try machine.received(ServerMessage(hello: .init(server: "millrace")), at: start)
        #expect(sent(&machine) == "a\n")
    }

    @Test func `a new connection begins with the first line that was not acknowledged`() throws {
        var machine = machine()
        for (index, line) in ["a", "b", "c", "d"].enumerated() { machine.lineRead(line.utf8, number: index + 1) }
        machine.inputEnded()
        try greet(&machine)
        #expect(sent(&machine) == "a\nb\nc\nd\n")
        try machine.received(ServerMessage(ack: 2), at: start)
        let lost = CommandError("lost", hint: "")
        #expect(machine.connectionLost(lost, at: start) == .connect(after: SendStateMachine.waitMin))
        try greet(&machine)
        #expect(sent(&machine) == "c\nd\n")
        #expect(machine.resentCount == 2)
        #expect(machine.reconnectCount == 1)
        // Acks count from the start of the connection.
        try machine.received(ServerMessage(ack: 2), at: start)
        #expect(machine.isDone)
        #expect(machine.acceptedCount == 4)
    }

    @Test func `half a line goes out whole over the next connection`() throws {
        var machine = machine()
        machine.lineRead("abcdef".utf8, number: 1)
        try greet(&machine)
        machine.sendUnsent { _ in 3 }
        #expect(machine.window.sentCount == 0)
        _ = machine.connectionLost(CommandError("lost", hint: ""), at: start)
        try greet(&machine)
        #expect(sent(&machine) == "abcdef\n")
        #expect(machine.resentCount == 0)
    }

    @Test func `a refusal counts once, when its line is answered`() throws {
        var machine = machine()
        for index in 1...3 { machine.lineRead("line".utf8, number: index * 10) }
        let refusal = ServerMessage(line: 2, error: .init(code: "invalid_json", message: "no"))
        try greet(&machine)
        _ = sent(&machine)
        try machine.received(refusal, at: start)
        #expect(machine.refusedCount == 0)
        _ = machine.connectionLost(CommandError("lost", hint: ""), at: start)
        try greet(&machine)
        _ = sent(&machine)
        try machine.received(refusal, at: start)
        try machine.received(ServerMessage(ack: 3), at: start)
        #expect(machine.refused == [.init(lineNumber: 20, code: "invalid_json", message: "no")])
        #expect(machine.refusedByCode == ["invalid_json": 1])
        #expect(machine.acceptedCount == 2)
    }

    @Test func `the window bounds what is read`() throws {
        var machine = machine(windowBytesMax: 10)
        machine.lineRead("12345678".utf8, number: 1)
        #expect(machine.wantsLines)
        machine.lineRead("12345678".utf8, number: 2)
        #expect(!machine.wantsLines)
        try greet(&machine)
        _ = sent(&machine)
        try machine.received(ServerMessage(ack: 1), at: start)
        #expect(machine.wantsLines)
    }

    @Test func `it gives up when connections fail for too long without a line answered`() throws {
        var machine = machine(retryFor: .seconds(1))
        machine.lineRead("a".utf8, number: 1)
        let lost = CommandError("lost", hint: "")
        #expect(machine.connectionLost(lost, at: start) == .connect(after: .milliseconds(100)))
        #expect(machine.connectionLost(lost, at: start + .milliseconds(500)) == .connect(after: .milliseconds(200)))
        #expect(machine.connectionLost(lost, at: start + .seconds(1)) == .giveUp(lost))
    }

    @Test func `an ack begins the count of failures anew`() throws {
        var machine = machine(retryFor: .seconds(1))
        machine.lineRead("a".utf8, number: 1)
        machine.lineRead("b".utf8, number: 2)
        let lost = CommandError("lost", hint: "")
        _ = machine.connectionLost(lost, at: start)
        try greet(&machine)
        _ = sent(&machine)
        try machine.received(ServerMessage(ack: 1), at: start)
        #expect(machine.connectionLost(lost, at: start + .seconds(5)) == .connect(after: .milliseconds(100)))
    }

    @Test(arguments: [
        ServerMessage(ack: 2), ServerMessage(line: 2, error: .init(code: "x", message: "y")), ServerMessage(), nil,
    ])
    func `what no daemon says ends it`(message: ServerMessage?) throws {
        var machine = machine()
        machine.lineRead("a".utf8, number: 1)
        try greet(&machine)
        _ = sent(&machine)
        let error = #expect(throws: CommandError.self) { try machine.received(message, at: start) }
        #expect(error?.isRetryable == false)
    }

    @Test(arguments: [
        ("too_many_connections", true), ("memory_budget", true), ("draining", true), ("invalid_hello", false),
    ])
    func `a daemon that ends the connection is tried again unless the greeting is at fault`(
        code: String, isRetryable: Bool
    ) {
        var machine = machine()
        machine.connected()
        let message = ServerMessage(error: .init(code: code, message: "no"))
        let error = #expect(throws: CommandError.self) { try machine.received(message, at: start) }
        #expect(error?.isRetryable == isRetryable)
    }

    private func message(_ text: String) throws -> ServerMessage {
        try #require(ServerMessage(line: Array(text.utf8)))
    }

    @Test func `what is parked or dead counts once its ack has come, and not from a connection that was cut`() throws {
        var machine = machine()
        for (index, line) in ["a", "b", "c"].enumerated() { machine.lineRead(line.utf8, number: 10 + index) }
        machine.inputEnded()
        try greet(&machine)
        _ = sent(&machine)
        let parked =
            #"{"line":2,"parked":{"pack":"p","fold":"f","code":"database","constraint":"k","sqlstate":"23505","message":"m"}}"#
        try machine.received(message(parked), at: start)
        _ = machine.connectionLost(CommandError("lost", hint: ""), at: start)
        try greet(&machine)
        _ = sent(&machine)
        try machine.received(message(parked), at: start)
        try machine.received(
            message(#"{"line":3,"dead_letter":{"code":"database","sqlstate":"23514","message":"d"}}"#), at: start)
        #expect(machine.parkedCount == 0)
        try machine.received(ServerMessage(ack: 2), at: start)
        #expect(machine.parkedCount == 1 && machine.deadCount == 0)
        try machine.received(ServerMessage(ack: 3), at: start)
        #expect(machine.parkedCount == 1 && machine.deadCount == 1 && machine.isDone)
        #expect(machine.acceptedCount == 3)
        let settled = machine.takeSettled()
        #expect(settled.count == 3 && settled.reported == machine.reported)
        #expect(machine.reported.map(\.lineNumber) == [11, 12])
        #expect(machine.reported.first?.report.constraint == "k")
        #expect(!SendReport(of: machine, elapsed: .zero, failure: nil).isComplete)
    }

    @Test func `lines that were only counted are counted, beside those that were named`() throws {
        var machine = machine()
        for index in 1...5 { machine.lineRead("x".utf8, number: index) }
        try greet(&machine)
        _ = sent(&machine)
        try machine.received(message(#"{"line":1,"parked":{"code":"c","message":"m"}}"#), at: start)
        try machine.received(
            message(#"{"lines":{"first":1,"last":5},"parked_total":4,"dead_letters_total":1}"#), at: start)
        try machine.received(ServerMessage(ack: 5), at: start)
        #expect(machine.parkedCount == 4 && machine.deadCount == 1)
        #expect(machine.takeSettled().unnamedCount == 4)
    }

    @Test(arguments: [
        #"{"ack":9223372036854775807}"#, #"{"ack":-1}"#,
        #"{"line":-9223372036854775808,"error":{"code":"c","message":""}}"#,
        #"{"line":9223372036854775807,"parked":{"code":"c","message":""}}"#,
        #"{"lines":{"first":1,"last":9223372036854775807},"parked_total":1}"#,
        #"{"lines":{"first":1,"last":3},"parked_total":1}"#,
        #"{"lines":{"first":1,"last":1},"parked_total":9223372036854775807,"dead_letters_total":9223372036854775807}"#,
    ])
    func `counts that can't be are no answer of a daemon, and trap nothing`(line: String) throws {
        var machine = machine()
        for index in 1...2 { machine.lineRead("x".utf8, number: index) }
        try greet(&machine)
        _ = sent(&machine)
        try machine.received(ServerMessage(ack: 1), at: start)
        let error = #expect(throws: CommandError.self) {
            try machine.received(ServerMessage(line: line.utf8), at: start)
        }
        #expect(error?.message.contains("does not speak") == true)
    }

    @Test func `a stranger who repeats himself is not kept in memory`() throws {
        for (line, most) in [
            (#"{"line":1,"error":{"code":"c","message":"m"}}"#, 1), (#"{"lines":{"first":1,"last":1}}"#, 1),
            (#"{"line":1,"dead_letter":{"code":"c","message":"m"}}"#, 256),
        ] {
            var machine = machine()
            machine.lineRead("x".utf8, number: 1)
            try greet(&machine)
            _ = sent(&machine)
            for _ in 0..<most { try machine.received(message(line), at: start) }
            #expect(throws: CommandError.self) { try machine.received(message(line), at: start) }
        }
    }
}
