import Testing

@testable import MillraceBench

struct AnswerReaderTests {
    private let lines = """
        {"hello":{"server":"millrace","version":"1"}}
        {"ack":7}
        {"line":9,"error":{"code":"invalid_json","message":"no"}}
        {"ack":1234567890123}
        {"error":{"code":"draining","message":"the daemon is stopping"}}
        what

        """
    private let lineAnswers: [LoadAnswer] = [
        .greeted, .acknowledged(lines: 7), .refused(number: 9, reason: "invalid_json: no"),
        .acknowledged(lines: 1_234_567_890_123), .ended(reason: "draining: the daemon is stopping"),
        .ended(reason: "it sent a line that is no answer of Millrace"),
    ]

    private func answers(_ reader: AnswerReader, _ text: String, cutAt size: Int) -> [LoadAnswer] {
        var reader = reader
        var answers: [LoadAnswer] = []
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            Array(rest.prefix(size)).withUnsafeBytes { reader.read($0) { answers.append($0) } }
            rest = rest.dropFirst(size)
        }
        return answers
    }

    @Test(arguments: [1, 2, 7, 64, 4096])
    func `lines are read however they are cut`(size: Int) {
        #expect(answers(.lines(LineAnswerReader()), lines, cutAt: size) == lineAnswers)
    }

    @Test(arguments: [1, 3, 50, 4096])
    func `answers over HTTP are read however they are cut`(size: Int) {
        func answer(_ status: String, _ body: String, _ name: String = "Content-Length") -> String {
            "HTTP/1.1 \(status)\r\nServer: x\r\n\(name): \(body.utf8.count)\r\nContent-Type: a\r\n\r\n\(body)"
        }
        let text =
            answer("202 Accepted", #"{"accepted":2,"rejected":[]}"#)
            + answer("200 OK", #"{"accepted":2,"duplicates":0,"rejected":[]}"#, "content-length")
            + answer("202 Accepted", #"{"accepted":1,"rejected":[{"index":1,"error":{"code":"c","message":"m"}}]}"#)
            + answer("400 Bad Request", #"{"error":{"code":"d","message":"n"},"accepted":0,"rejected":[]}"#)
            + answer("503 Service Unavailable", #"{"error":{"code":"spool_full","message":"full"}}"#)
            + answer("502 Bad Gateway", "")
        #expect(
            answers(.http(HTTPAnswerReader(batch: 2)), text, cutAt: size) == [
                .answered(accepted: 2, reason: nil), .answered(accepted: 2, reason: nil),
                .answered(accepted: 1, reason: "c: m"), .answered(accepted: 0, reason: "d: n"),
                .failed(reason: "spool_full: full"), .failed(reason: "status 502"),
            ])
    }

    @Test(arguments: ["SSH-2.0-x\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"])
    func `what is no answer ends it`(text: String) {
        let answers = answers(.http(HTTPAnswerReader(batch: 1)), text, cutAt: 4096)
        guard case .ended = answers.first else {
            Issue.record("\(answers)")
            return
        }
    }
}
