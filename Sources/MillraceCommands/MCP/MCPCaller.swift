internal import FoundationEssentials
internal import MillraceAPI
internal import MillraceClient
internal import MillraceConsole

/// Calls tools: asks the daemon's read API. Blocks; every call has a connection of its own.
struct MCPCaller: Sendable {
    /// A page is at most `api.page_bytes` and one row, which are some MiB; an answer that goes on is none.
    private static let answerBytesMax = 64 << 20

    private struct Failure: Decodable {
        struct Detail: Decodable {
            var code: String
            var message: String
        }

        var error: Detail
    }

    let destination: Destination
    /// For a connection, and again for the answer.
    let timeout: Duration
    let outputBytesMax: Int

    /// What the tool answers; never throws, for a model is to read what went wrong.
    func outcome(of call: MCPStateMachine.Call) -> MCPStateMachine.Outcome {
        guard let tool = ReadTool.all.first(where: { $0.name == call.tool }) else {
            preconditionFailure("only tools that there are become calls")
        }
        do {
            let target = try tool.target(call.arguments)
            let answer = try HTTPProbe.get(
                target, from: destination, timeout: timeout, bytesMax: Self.answerBytesMax)
            return outcome(answer, of: tool)
        } catch let problem as ReadTool.Problem {
            return .init(text: problem.message, isError: true)
        } catch {
            return .init(text: "\(error)", isError: true)
        }
    }

    private func outcome(_ answer: HTTPProbe.Answer, of tool: ReadTool) -> MCPStateMachine.Outcome {
        let body = Data(answer.body.utf8)
        guard tool.isAnswer(status: answer.status) else {
            guard let failure = try? JSONDecoder().decode(Failure.self, from: body) else {
                return .init(
                    text: "\(destination) answered with status \(answer.status), and is no Millrace: see --to",
                    isError: true)
            }
            let text = "\(failure.error.code): \(failure.error.message)" + Self.advice(answer.status)
            return .init(text: MCPOutput.fit(text, bytesMax: outputBytesMax), isError: true)
        }
        guard (try? JSONDecoder().decode(MillraceClient.JSONValue.self, from: body)) != nil else {
            return .init(text: "the answer ended before its end; ask for less at once, or again later", isError: true)
        }
        return .init(text: MCPOutput.fit(answer.body, bytesMax: outputBytesMax))
    }

    /// What to do about a status, for who set the server up.
    private static func advice(_ status: Int) -> String {
        switch status {
        case 401, 403:
            ". The one who starts `millrace mcp` gives it a key with the scope read, by --key-file or MILLRACE_KEY_FILE"
        case 429, 503: ". Ask again in a moment"
        default: ""
        }
    }
}
