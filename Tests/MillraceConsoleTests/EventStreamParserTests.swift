import MillraceConsole
import Testing

struct EventStreamParserTests {
    private typealias Message = EventStreamParser.Message

    private func messages(_ text: String, pieces: Int = .max) throws -> [Message] {
        var parser = EventStreamParser()
        var found: [Message] = []
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let piece = rest.prefix(pieces)
            rest = rest.dropFirst(piece.count)
            found += try parser.messages(in: piece)
        }
        return found
    }

    @Test(arguments: ["\n", "\r\n", "\r"], [1, 2, 3, 1000])
    func `messages are the same whatever ends their lines and wherever they are cut`(ending: String, pieces: Int) throws
    {
        let lines = [
            "\u{FEFF}retry: 1500", "", ": a comment", "id: 7", "event: tick", "data: one", "data:two", "data:  three",
            "", "data", "", "event: lost", "", "id", "data: last", "", "data: not ended",
        ]
        let text = lines.joined(separator: ending)
        #expect(
            try messages(text, pieces: pieces) == [
                Message(name: "tick", lastID: "7", data: "one\ntwo\n three"),
                Message(name: "message", lastID: "7", data: ""),
                Message(name: "message", lastID: "", data: "last"),
            ])
    }

    @Test func `an id without data is kept, and the time to wait is read`() throws {
        var parser = EventStreamParser(lastID: "3")
        #expect(parser.lastID == "3")
        #expect(try parser.messages(in: Array("retry: 2000\nid: 9\n\nretry: soon\nid: a\0b\n\n".utf8)).isEmpty)
        #expect(parser.lastID == "9" && parser.retry == 2000)
    }

    @Test func `garbage gives no message and no crash`() throws {
        var random = SystemRandomNumberGenerator()
        let seed = random.next()
        print("seed \(seed)")
        var state = seed
        for _ in 0..<200 {
            var bytes: [UInt8] = []
            for _ in 0..<500 {
                state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                // Without line ends there is no message.
                let byte = UInt8(truncatingIfNeeded: state >> 40)
                bytes.append(byte == 0x0A || byte == 0x0D ? 0xFF : byte)
            }
            var parser = EventStreamParser()
            #expect(try parser.messages(in: bytes).isEmpty)
            #expect(try parser.messages(in: [0x0A, 0x0A]).isEmpty || bytes.starts(with: "data".utf8))
        }
    }

    @Test func `a message without an end is refused`() {
        var parser = EventStreamParser()
        let piece = [UInt8](repeating: 0x61, count: 1 << 20)
        #expect(throws: CommandError.self) {
            for _ in 0...(EventStreamParser.bytesMax >> 20) { _ = try parser.messages(in: piece) }
        }
    }
}

struct StreamedAnswerTests {
    private func body(_ text: String, pieces: Int) throws -> (StreamedAnswer, String) {
        var answer = StreamedAnswer()
        var body: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let piece = rest.prefix(pieces)
            rest = rest.dropFirst(piece.count)
            body += try answer.body(in: piece)
        }
        return (answer, String(decoding: body, as: UTF8.self))
    }

    @Test(arguments: [1, 2, 7, 1000])
    func `chunks are put together wherever they are cut`(pieces: Int) throws {
        let (answer, body) = try body(
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nB;x=y\r\n, my world!\r\n0\r\nX: 1\r\n\r\nmore",
            pieces: pieces)
        #expect(answer.status == 200 && answer.fields["content-type"] == "text/event-stream" && answer.isEnded)
        #expect(body == "hello, my world!")
    }

    @Test func `a body has its length, or the connection's`() throws {
        let (short, text) = try body("HTTP/1.1 401 No\r\nContent-Length: 3\r\n\r\nabcdef", pieces: 2)
        #expect(short.status == 401 && short.isEnded && text == "abc")
        let (open, rest) = try body("HTTP/1.1 200 OK\r\n\r\nabc", pieces: 5)
        #expect(!open.isEnded && rest == "abc")
        let (empty, _) = try body("HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", pieces: 4)
        #expect(empty.isEnded)
    }

    @Test(arguments: [
        "SSH-2.0-OpenSSH\r\n\r\n\r\n", "HTTP/1.1 2000 OK\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n123456789\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + String(repeating: "1", count: 5000),
        String(repeating: "x", count: 70_000),
    ])
    func `what is no answer of a daemon is refused`(text: String) {
        #expect(throws: CommandError.self) { try body(text, pieces: 100) }
    }
}
