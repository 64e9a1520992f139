import MillraceChannels
import MillraceTestSupport
import MillraceEvent
import MillraceIntake
import NIOCore
import ServiceLifecycle
import Testing
import MillraceTelemetry

@Suite(.timeLimit(.minutes(10)))
struct TCPIntakeTests {
    private static let hello = #"{"hello":{"acks":"spooled"}}"# + "\n"

    private func greeted(_ harness: Harness, acks: String = "spooled") async throws -> TestClient {
        let client = try await harness.connect()
        try await client.send(#"{"hello":{"acks":"\#(acks)"}}"# + "\n")
        #expect(await client.line() == #"{"hello":{"server":"millrace","version":"dev"}}"#)
        return client
    }

    @Test func `lines without a greeting are taken as they came and never answered`() async throws {
        try await withTCP { harness in
            let client = try await harness.connect()
            try await client.send("\(good)\r\n\r\n\n { \"event_type\" : \"b\" }\n")
            try await client.halfClose()
            #expect(await client.rest() == "")
            #expect(harness.spool.lines() == [good, #" { "event_type" : "b" }"#])
            #expect(harness.metrics.accepted(.event).value == 2)
        }
    }

    @Test func `acks are cumulative, and a half-closed connection gets its last one`() async throws {
        try await withTCP { harness in
            let client = try await greeted(harness)
            try await client.send("\n\(good)\n\r\n\(good)\n")
            try await client.halfClose()
            let last = await client.rest().split(separator: "\n").last
            #expect(last == #"{"ack":2}"#)
        }
    }

    @Test func `a last line without its newline counts when the client ended in order`() async throws {
        try await withTCP { harness in
            let client = try await greeted(harness)
            try await client.send(good)
            try await client.halfClose()
            #expect(await client.rest() == "{\"ack\":1}\n")
            #expect(harness.spool.lines() == [good])
        }
    }

    @Test(arguments: refusedLines.map(\.code.rawValue))
    func `each refusal is told with its line and harms no neighbour`(code: String) async throws {
        let line = try #require(refusedLines.first { $0.code.rawValue == code }).line
        try await withTCP({ ($0.limits, $0.eventLimits) = smallLimits() }) { harness in
            let client = try await greeted(harness)
            try await client.send("\(good)\n\(line)\n\(good)\n")
            try await client.halfClose()
            let answers = await client.rest()
            #expect(answers.contains(#"{"line":2,"error":{"code":"\#(code)","message":""#))
            #expect(answers.hasSuffix("{\"ack\":3}\n"))
            #expect(harness.spool.lines() == [good, good])
        }
    }

    @Test func `a line that is no UTF-8 is refused and kept readable`() async throws {
        try await withTCP { harness in
            let client = try await harness.connect()
            try await client.send(Array(#"{"event_type":"a"#.utf8) + [0xFF, 0x00] + Array("\"}\n\(good)\n".utf8))
            try await client.halfClose()
            #expect(await client.rest() == "")
            #expect(harness.spool.lines() == [good])
            let dead = try #require(harness.spool.lines(.refused).first)
            #expect(dead.contains(#""code":"invalid_utf8""#))
            #expect(dead.contains(#""line":"{\"event_type\":\"a\#u{FFFD}\"}","line_bytes":20}"#))
        }
    }

    @Test func `a line far over the limit is refused once, wherever it is cut`() async throws {
        try await withTCP({
            $0.limits.lineBytes = 1024; $0.limits.refusedLineBytes = 16
        }) { harness in
            let client = try await harness.connect()
            try await client.send("\(good)\n")
            for _ in 0..<10 { try await client.send(String(repeating: "x", count: 1000)) }
            try await client.send("\n\(good)\n")
            try await client.halfClose()
            #expect(await client.rest() == "")
            #expect(harness.spool.lines() == [good, good])
            let dead = harness.spool.lines(.refused)
            #expect(dead.count == 1)
            #expect(dead.first?.contains(#""line":"xxxxxxxxxxxxxxxx","line_bytes":10000}"#) == true)
        }
    }

    @Test(arguments: [
        #"{"hello":{"acks":"maybe"}}"#, #"{"hello":{}}"#, #"{"hello":1}"#, #"{"hello":{"acks":"spooled","x":"y"}}"#,
        #"{"hello":{"acks":"spooled"},"event_type":"a"}"#,
    ])
    func `a bad greeting is told and ends the connection`(line: String) async throws {
        try await withTCP { harness in
            let client = try await harness.connect()
            try await client.send("\(line)\n\(good)\n")
            #expect(await client.rest().hasPrefix(#"{"error":{"code":"invalid_hello","message":"#))
            #expect(harness.spool.records.isEmpty)
        }
    }

    @Test func `acks wait for the spool and keep the order of the lines`() async throws {
        try await withTCP { harness in
            let client = try await greeted(harness)
            harness.spool.setMode(.holding)
            try await client.send("\(good)\nbad\n")
            await harness.wait { harness.spool.heldCount == 1 }
            try await client.send("\(good)\n")
            await harness.wait { harness.spool.heldCount == 2 }
            #expect(client.received.isEmpty)
            harness.spool.release(reversed: true)
            #expect(await client.line()?.hasPrefix(#"{"line":2,"error":{"code":"invalid_json""#) == true)
            #expect(await client.line() == #"{"ack":3}"#)
        }
    }

    @Test func `acks for commits wait for the commit`() async throws {
        try await withTCP { harness in
            let client = try await greeted(harness, acks: "committed")
            try await client.send("\(good)\n")
            #expect(await client.line() == #"{"ack":1}"#)
        }
    }

    @Test func `a line that is durable but not committed when the daemon stops gets no ack for a commit`() async throws
    {
        try await withTCP { harness in
            let client = try await greeted(harness, acks: "committed")
            try await client.send("\(good)\n")
            #expect(await client.line() == #"{"ack":1}"#)
            harness.spool.setMode(.stopping)
            try await client.send("\(good)\n")
            #expect(await client.rest() == "")
            #expect(harness.spool.lines() == [good, good])
        }
    }

    @Test func `a full spool drops nothing and heals by itself`() async throws {
        try await withTCP({ $0.tcp.retryInterval = .milliseconds(5) }) { harness in
            let client = try await greeted(harness)
            harness.spool.channel.refuse(.spoolFull)
            try await client.send("\(good)\nbad\n\(good)\n")
            await harness.wait { harness.metrics[.tcp].linesReceived.value == 3 }
            harness.spool.channel.refuse(nil)
            #expect(await client.line()?.hasPrefix(#"{"line":2,"#) == true)
            #expect(await client.line() == #"{"ack":3}"#)
            #expect(harness.spool.lines() == [good, good])
        }
    }

    @Test func `a failed group is offered again before anything is acked`() async throws {
        try await withTCP({ $0.tcp.retryInterval = .milliseconds(5) }) { harness in
            let client = try await greeted(harness)
            harness.spool.setMode(.failing(.spoolFailed))
            try await client.send("\(good)\n")
            await harness.wait { harness.metrics[.tcp].linesReceived.value == 1 }
            #expect(client.received.isEmpty)
            harness.spool.setMode(.taking)
            #expect(await client.line() == #"{"ack":1}"#)
            #expect(harness.spool.lines() == [good])
        }
    }

    @Test func `a draining spool gets no ack and ends the connection`() async throws {
        try await withTCP { harness in
            let client = try await greeted(harness)
            harness.spool.channel.refuse(.draining)
            try await client.send("\(good)\n")
            #expect(await client.rest() == "")
        }
    }

    @Test func `a connection with too much unanswered is read no further`() async throws {
        try await withTCP({ $0.tcp.inflightBytesMax = 64 << 10 }) { harness in
            let client = try await greeted(harness)
            harness.spool.setMode(.holding)
            let line = #"{"event_type":"good","payload":{"a":""# + String(repeating: "x", count: 1000) + "\"}}\n"
            let count = 20_000
            let sent = client.channel.eventLoop.makePromise(of: Void.self)
            client.channel.writeAndFlush(ByteBuffer(string: String(repeating: line, count: count)), promise: sent)
            await harness.wait { harness.metrics[.tcp].linesReceived.value > 60 }
            for _ in 0..<2000 { await Task.yield() }
            #expect(harness.metrics[.tcp].bytesReceived.value < 4 << 20)
            harness.spool.release()
            try await sent.futureResult.get()
            while let line = await client.line(), line != #"{"ack":\#(count)}"# {}
            #expect(harness.spool.records.reduce(0) { $0 + $1.count } == count)
        }
    }

    @Test func `a connection too many gets an error line and is closed`() async throws {
        try await withTCP({ $0.tcp.connectionsMax = 1 }) { harness in
            let first = try await greeted(harness)
            let second = try await harness.connect()
            #expect(await second.rest().hasPrefix(#"{"error":{"code":"too_many_connections""#))
            await first.close()
            await harness.wait { harness.metrics[.tcp].connectionsOpen.value == 0 }
            _ = try await greeted(harness)
        }
    }

    @Test func `shutdown answers what was received, then closes`() async throws {
        try await withTCP { harness in
            let client = try await greeted(harness)
            harness.spool.setMode(.holding)
            try await client.send("\(good)\n")
            await harness.wait { harness.spool.heldCount == 1 }
            await harness.group.triggerGracefulShutdown()
            harness.spool.release()
            #expect(await client.rest() == "{\"ack\":1}\n")
        }
    }

    @Test func `a shutdown that nobody answers is bounded`() async throws {
        try await withTCP({ $0.intake.drainLimit = .milliseconds(50) }) { harness in
            let client = try await greeted(harness)
            harness.spool.setMode(.holding)
            try await client.send("\(good)\n")
            await harness.wait { harness.spool.heldCount == 1 }
            await harness.group.triggerGracefulShutdown()
            #expect(await client.rest() == "")
        }
    }

    @Test func `a Unix socket replaces a stale file`() async throws {
        let path = "/tmp/millrace-test-\(UInt64.random(in: 0 ... .max)).sock"
        for _ in 0..<2 {
            try await withTCP({ $0.listen = [.unix(path: path)] }) { harness in
                let client = try await harness.connect()
                try await client.send("\(good)\n")
                try await client.halfClose()
                _ = await client.rest()
                #expect(harness.spool.lines() == [good])
            }
        }
    }

    @Test func `conversations and events of one read become one record for each run`() async throws {
        let save = #"{"conversation_id":"c","question":"q","response":"r","user_id":"\#(user)"}"#
        try await withTCP { harness in
            let client = try await greeted(harness)
            try await client.send("\(good)\n\(good)\n\(save)\n\(good)\n")
            #expect(await client.line() == #"{"ack":4}"#)
            #expect(harness.spool.records.map(\.kind) == [.event, .conversation, .event])
            #expect(harness.spool.records.map(\.count) == [2, 1, 1])
        }
    }

    @Test func `a slow reader that half-closed gets every refusal and the last ack`() async throws {
        let count = 50_000
        try await withTCP {
            $0.tcp.refusedLinesMax = count + 1
            // However slow this machine is: it bounds how long the last answers may take.
            $0.intake.drainLimit = .seconds(600)
        } _: { harness in
            let client = try await greeted(harness)
            let sent = client.channel.eventLoop.makePromise(of: Void.self)
            client.channel.writeAndFlush(ByteBuffer(string: String(repeating: "x\n", count: count)), promise: sent)
            client.channel.close(mode: .output, promise: nil)
            let answers = await client.rest().split(separator: "\n")
            let refused = answers.count { $0.hasPrefix("{\"line\"") }
            try await sent.futureResult.get()
            #expect(refused == count)
            #expect(answers.last == #"{"ack":\#(count)}"#)
        }
    }

    @Test func `a half-closed reader that begins late gets every answer`() async throws {
        let path = "/tmp/millrace-test-\(UInt64.random(in: 0 ... .max)).sock"
        try await withTCP {
            $0.listen = [.unix(path: path)]
            $0.tcp.refusedLinesMax = 10_000
        } _: { harness in
            var refused = 0
            // From fewer answers than a Unix socket holds while nobody reads, to more.
            for count in stride(from: 500, through: 4000, by: 125) {
                let client = try await greeted(harness)
                try await client.channel.setOption(.autoRead, value: false).get()
                try await client.send(String(repeating: "x\n", count: count))
                try await client.halfClose()
                refused += count
                await harness.wait { [refused] in harness.metrics.refused(.invalidJSON).value == refused }
                // Where all has come and the connection has ended, nothing is left to read.
                try? await client.channel.setOption(.autoRead, value: true).get()
                let answers = await client.rest().split(separator: "\n")
                #expect(answers.count { $0.hasPrefix("{\"line\"") } == count)
                #expect(answers.last == #"{"ack":\#(count)}"#)
            }
        }
    }

    @Test(arguments: 0..<5)
    func `lines survive any borders of packets`(seed: Int) async throws {
        var random = SeededGenerator(seed: UInt64(seed))
        let lines = (0..<300).map { _ in
            #"{"event_type":"e","payload":{"a":""# + String(repeating: "é", count: .random(in: 0..<200, using: &random))
                + "\"}}"
        }
        try await withTCP { harness in
            let client = try await greeted(harness)
            var rest = Array(lines.joined(separator: "\n").utf8)[...]
            while !rest.isEmpty {
                let count = Int.random(in: 1...min(rest.count, 3000), using: &random)
                try await client.send(Array(rest.prefix(count)))
                rest = rest.dropFirst(count)
            }
            try await client.halfClose()
            #expect(await client.rest().hasSuffix("{\"ack\":300}\n"))
            #expect(harness.spool.lines() == lines)
        }
    }

    @Test(arguments: [UInt64.random(in: 0 ... .max)])
    func `of 20,000 mutated lines only what was sent gets in, and each line is answered`(seed: UInt64) async throws {
        var random = SeededGenerator(seed: seed)
        let sources = (refusedLines.map(\.line) + [good]).map { Array($0.utf8) }.filter { $0.count < 300 }
        let lines = (0..<20_000).map { _ in mutated(sources.randomElement(using: &random) ?? [], &random) }
        try await withTCP {
            $0.tcp.refusedLinesMax = lines.count + 1
        } _: { harness in
            let client = try await greeted(harness)
            let sent = client.channel.eventLoop.makePromise(of: Void.self)
            client.channel.writeAndFlush(ByteBuffer(bytes: Array(lines.map { $0 + [0x0A] }.joined())), promise: sent)
            client.channel.close(mode: .output, promise: nil)
            let answers = await client.rest().split(separator: "\n")
            try await sent.futureResult.get()
            let refused = Set(
                answers.compactMap { answer in
                    answer.hasPrefix("{\"line\":") ? Int(answer.dropFirst(8).prefix { $0 != "," }) : nil
                })
            #expect(answers.last == #"{"ack":20000}"#)
            let accepted = lines.enumerated().filter { !refused.contains($0.offset + 1) }.map { $0.element + [0x0A] }
            #expect(Array(harness.spool.records.map(\.bytes).joined()) == Array(accepted.joined()))
        }
    }

    private func mutated(_ source: [UInt8], _ random: inout SeededGenerator) -> [UInt8] {
        var line = source
        for _ in 0..<Int.random(in: 0...3, using: &random) {
            let place = Int.random(in: 0..<line.count, using: &random)
            switch Int.random(in: 0..<4, using: &random) {
            case 0: line[place] = .random(in: 0 ... .max, using: &random)
            case 1: line[place] ^= UInt8(1) << UInt8.random(in: 0..<8, using: &random)
            case 2: line.insert(.random(in: 0 ... .max, using: &random), at: place)
            default: if line.count > 2 { line.remove(at: place) }
            }
        }
        // These two would be other lines, or other line ends.
        return line.map { $0 == 0x0A || $0 == 0x0D ? 0x20 : $0 }
    }
}
