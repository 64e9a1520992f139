internal import FoundationEssentials
internal import MillraceAPI
internal import MillraceClient
internal import MillraceJSON

/// The decisions of `millrace mcp`: what a line is answered with, which tools are called and when, and what was cancelled.
///
/// 1. Every request is answered once, unless it was cancelled; notifications and answers never are.
/// 2. At most `callsMax` calls run at a time; up to `waitingMax` wait for their turn, and further ones are told to come later.
/// 3. A batch (of 2025-03-26 and before) is answered as one list, once all of it is.
///
/// See https://modelcontextprotocol.io/specification/2025-11-25.
struct MCPStateMachine {
    /// The newest first: what a client is offered that asks for another one.
    static let versions = ["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"]
    private static let versionsWithBatches: Set = ["2025-03-26", "2024-11-05"]
    private static let methods: Set = ["ping", "initialize", "tools/list", "tools/call"]
    static let callsMax = 4
    static let waitingMax = 64
    /// Of one message. A request of this server's tools is short.
    static let lineBytesMax = 1 << 20

    enum Action: Equatable {
        /// A line for standard output, without its end.
        case write([UInt8])
        case call(Call)
    }

    struct Call: Equatable {
        /// Counts from 1.
        var number: Int
        /// Of `ReadTool.all`.
        var tool: String
        var arguments: [String: ReadTool.Argument]
    }

    /// What a tool answers.
    struct Outcome: Equatable {
        var text: String
        /// The text says what went wrong, for the model to do better.
        var isError = false
    }

    private enum Phase: Equatable {
        case new
        case initialized(version: String)
    }

    private struct Pending {
        var id: MCPID
        var batch: Int?
        /// Nil: it runs.
        var waiting: Call?
    }

    private struct Batch {
        var answers: [[UInt8]] = []
        var openCount = 0
    }

    let serverVersion: String
    private var phase = Phase.new
    /// By the call's number, which ascends.
    private var pending: [Int: Pending] = [:]
    private var cancelled: Set<Int> = []
    private var runningCount = 0
    private var lastCall = 0
    private var batches: [Int: Batch] = [:]
    private var lastBatch = 0

    init(serverVersion: String) {
        self.serverVersion = serverVersion
    }

    // MARK: Events

    /// A line of standard input, without its end.
    mutating func received(_ line: some Collection<UInt8>) -> [Action] {
        guard line.count <= Self.lineBytesMax else { return lineTooLong() }
        guard let value = try? JSONDecoder().decode(MillraceClient.JSONValue.self, from: Data(line)) else {
            return [.write(MCPAnswer.failure(nil, .parseError, "the line is no JSON"))]
        }
        guard case .array(let values) = value else { return act(on: MCPMessage(value), batch: nil) }
        return received(batch: values)
    }

    /// A line that was too long to be read.
    mutating func lineTooLong() -> [Action] {
        [
            .write(
                MCPAnswer.failure(nil, .invalidRequest, "a message is at most \(Self.lineBytesMax) bytes, on one line"))
        ]
    }

    /// A call that runs has its answer.
    mutating func finished(_ number: Int, _ outcome: Outcome) -> [Action] {
        runningCount -= 1
        var actions: [Action] = []
        if cancelled.remove(number) == nil, let call = pending.removeValue(forKey: number) {
            actions = answer(MCPAnswer.success(call.id, Self.result(outcome)), batch: call.batch)
            if let batch = call.batch { actions += close(batch) }
        }
        return actions + startWaiting()
    }

    // MARK: Messages

    private mutating func received(batch values: [MillraceClient.JSONValue]) -> [Action] {
        if case .initialized(let version) = phase, !Self.versionsWithBatches.contains(version) {
            return [.write(MCPAnswer.failure(nil, .invalidRequest, "\(version) has no batches: send a message a line"))]
        }
        guard !values.isEmpty else {
            return [.write(MCPAnswer.failure(nil, .invalidRequest, "the batch is empty"))]
        }
        lastBatch += 1
        let batch = lastBatch
        // Held open until all of it was looked at.
        batches[batch] = Batch(openCount: 1)
        let actions = values.flatMap { act(on: MCPMessage($0), batch: batch) }
        return actions + close(batch)
    }

    private mutating func act(on message: MCPMessage, batch: Int?) -> [Action] {
        switch message {
        case .answer: return []
        case .invalid(let id):
            return answer(
                MCPAnswer.failure(id, .invalidRequest, "wanted a request or notification of JSON-RPC 2.0"), batch: batch
            )
        case .notification(let method, let parameters):
            if method == "notifications/cancelled", let id = parameters["requestId"].flatMap(MCPID.init) {
                return cancel(id)
            }
            return []
        case .request(let id, let method, let parameters):
            guard !pending.values.contains(where: { $0.id == id }) else {
                return answer(
                    MCPAnswer.failure(id, .invalidRequest, "a request with this id is not answered yet"), batch: batch)
            }
            return request(id, method, parameters, batch: batch)
        }
    }

    private mutating func request(
        _ id: MCPID, _ method: String, _ parameters: MCPMessage.Parameters, batch: Int?
    ) -> [Action] {
        func fail(_ failure: MCPAnswer.Failure, _ message: String) -> [UInt8] {
            MCPAnswer.failure(id, failure, message)
        }
        guard Self.methods.contains(method) else {
            return answer(fail(.methodNotFound, "there is no method \(method.prefix(100))"), batch: batch)
        }
        switch (method, phase) {
        case ("ping", _): return answer(MCPAnswer.success(id, Array("{}".utf8)), batch: batch)
        case ("initialize", .new):
            guard batch == nil else {
                return answer(fail(.invalidRequest, "initialize stands alone, not in a batch"), batch: batch)
            }
            guard case .string(let asked)? = parameters["protocolVersion"] else {
                return answer(
                    fail(.invalidParameters, "protocolVersion is wanted, such as \(Self.versions[0])"), batch: nil)
            }
            let version = Self.versions.contains(asked) ? asked : Self.versions[0]
            phase = .initialized(version: version)
            return answer(MCPAnswer.success(id, greeting(version)), batch: nil)
        case ("initialize", .initialized):
            return answer(fail(.invalidRequest, "it is initialized already"), batch: batch)
        case (_, .new): return answer(fail(.invalidRequest, "send initialize first"), batch: batch)
        case ("tools/list", _): return answer(MCPAnswer.success(id, Self.toolList), batch: batch)
        default:
            guard case .string(let name)? = parameters["name"] else {
                return answer(fail(.invalidParameters, "name is wanted, of a tool of tools/list"), batch: batch)
            }
            guard ReadTool.all.contains(where: { $0.name == name }) else {
                let names = ReadTool.all.map(\.name).joined(separator: ", ")
                return answer(
                    fail(.invalidParameters, "unknown tool \(name.prefix(100)); there are \(names)"), batch: batch)
            }
            guard let arguments = Self.arguments(parameters["arguments"]) else {
                return answer(fail(.invalidParameters, "arguments is an object"), batch: batch)
            }
            return call(id, name, arguments, batch: batch)
        }
    }

    private static func arguments(_ value: MillraceClient.JSONValue?) -> [String: ReadTool.Argument]? {
        switch value {
        case nil, .null?: [:]
        case .object(let members)?: members.compactMapValues(ReadTool.Argument.init)
        default: nil
        }
    }

    // MARK: Calls

    private mutating func call(
        _ id: MCPID, _ tool: String, _ arguments: [String: ReadTool.Argument], batch: Int?
    ) -> [Action] {
        guard pending.values.count(where: { $0.waiting != nil }) < Self.waitingMax else {
            let outcome = Outcome(text: "too many calls wait; call again once some are answered", isError: true)
            return answer(MCPAnswer.success(id, Self.result(outcome)), batch: batch)
        }
        lastCall += 1
        let call = Call(number: lastCall, tool: tool, arguments: arguments)
        pending[call.number] = Pending(id: id, batch: batch, waiting: call)
        if let batch { batches[batch]?.openCount += 1 }
        return startWaiting()
    }

    private mutating func startWaiting() -> [Action] {
        var actions: [Action] = []
        while runningCount < Self.callsMax,
            let call = pending.values.compactMap(\.waiting).min(by: { $0.number < $1.number })
        {
            pending[call.number]?.waiting = nil
            runningCount += 1
            actions.append(.call(call))
        }
        return actions
    }

    /// What runs goes on to its end, for nobody. Of an unknown id, or one that is answered, nothing is said.
    private mutating func cancel(_ id: MCPID) -> [Action] {
        guard let (number, call) = pending.first(where: { $0.value.id == id }) else { return [] }
        pending[number] = nil
        if call.waiting == nil { cancelled.insert(number) }
        return call.batch.map { close($0) } ?? []
    }

    // MARK: Answers

    private mutating func answer(_ answer: [UInt8], batch: Int?) -> [Action] {
        guard let batch else { return [.write(answer)] }
        batches[batch]?.answers.append(answer)
        return []
    }

    /// One of the batch is done.
    private mutating func close(_ batch: Int) -> [Action] {
        guard var open = batches[batch] else { return [] }
        open.openCount -= 1
        batches[batch] = open.openCount > 0 ? open : nil
        guard open.openCount == 0, !open.answers.isEmpty else { return [] }
        return [.write(MCPAnswer.list(open.answers))]
    }
}
