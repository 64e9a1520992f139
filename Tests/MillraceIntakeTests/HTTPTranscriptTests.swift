@testable import MillraceIntake
import MillraceChannels
import MillraceEvent
import Testing

/// One connection, step by step, with a clock that stands until it is moved.
@Suite(.timeLimit(.minutes(10)))
struct HTTPTranscriptTests {
    private let post = request(body: good)

    @Test func `pipelined requests wait for the one before them, and the socket with them`() async throws {
        let connection = try await HTTPTranscript()
        try await connection.receive(post + request(body: "[1]") + post)
        #expect(try await !connection.read())
        await connection.settle()
        #expect(connection.statuses() == [202, 400])
        #expect(try await connection.read())
        await connection.settle()
        #expect(connection.statuses() == [202])
        #expect(!connection.isOutputClosed)
    }

    @Test func `a client that waits for 100 gets it, and then its answer`() async throws {
        let connection = try await HTTPTranscript()
        let text = request("POST", "/v1/events", ["Expect: 100-continue"], body: good)
        try await connection.receive(String(text.dropLast(good.count)))
        #expect(connection.statuses() == [100])
        try await connection.receive(good)
        await connection.settle()
        #expect(connection.statuses() == [202])
    }

    @Test func `a client that waits for 100 and is refused is told so at once, and the connection ends`() async throws {
        let connection = try await HTTPTranscript()
        let text = request("PUT", "/v1/events", ["Expect: 100-continue"], body: good)
        try await connection.receive(String(text.dropLast(good.count)))
        #expect(connection.statuses() == [405])
        #expect(connection.isOutputClosed)
    }

    @Test func `after an early answer the connection lingers, and takes nothing more`() async throws {
        let connection = try await HTTPTranscript { $0.intake.linger = .seconds(1) }
        try await connection.receive(request("POST", "/v1/events", ["Content-Length: 1"]))
        #expect(connection.socket.output().contains("Connection: close"))
        #expect(connection.isOutputClosed)
        #expect(
            try await connection.read(), "what comes is read and thrown away, so that no reset takes the answer back")
        await connection.pass(.milliseconds(999))
        #expect(!connection.isClosed)
        await connection.pass(.milliseconds(1))
        #expect(connection.isClosed)
        #expect(connection.openConnections == 0)
    }

    @Test func `a lingering connection ends as soon as its peer has closed, too`() async throws {
        let connection = try await HTTPTranscript()
        try await connection.receive(request("POST", "/v1/events", ["Content-Length: 1"]))
        #expect(!connection.isClosed)
        try await connection.halfClose()
        #expect(connection.isClosed)
    }

    @Test func `headers have until the header timeout, however they drip`() async throws {
        let connection = try await HTTPTranscript {
            $0.http.headerTimeout = .seconds(10); $0.http.crowdedWait = .seconds(60)
        }
        await connection.pass(.seconds(9))
        try await connection.receive("POST /v1/ev")
        await connection.pass(.seconds(9))
        try await connection.receive("ents HTTP/1.1\r\n")
        #expect(connection.statuses() == [])
        await connection.pass(.seconds(1))
        #expect(connection.statuses() == [408])
        #expect(connection.isOutputClosed)
    }

    @Test func `an idle connection is closed without a word`() async throws {
        let connection = try await HTTPTranscript { $0.http.keepAlive = .seconds(75) }
        try await connection.receive(post)
        await connection.settle()
        #expect(connection.statuses() == [202])
        await connection.pass(.seconds(74))
        #expect(!connection.isClosed)
        await connection.pass(.seconds(1))
        #expect(connection.isClosed)
        #expect(connection.statuses() == [])
    }

    @Test func `an idle connection loses its place once others want it`() async throws {
        let first = try await HTTPTranscript {
            $0.http.connectionsMax = 3; $0.http.reservedConnections = 1; $0.http.crowdedWait = .milliseconds(500)
        }
        await first.pass(.seconds(5))
        #expect(!first.isClosed)
        let second = try await HTTPTranscript(beside: first)
        await first.pass(.seconds(1))
        #expect(first.isClosed)
        await second.pass(.seconds(2))
        #expect(!second.isClosed, "nobody wants its place any more")
    }

    @Test func `a half-closed peer gets its answers, and while it waits for a commit it takes no place`() async throws {
        let connection = try await HTTPTranscript()
        try await connection.receive(request("POST", "/v1/events?ack=committed", body: good))
        #expect(connection.openConnections == 1)
        try await connection.halfClose()
        #expect(connection.openConnections == 0)
        await connection.settle { .committed(0..<UInt64($0.count), CommittedLines()) }
        #expect(connection.statuses() == [200])
        #expect(connection.isClosed)
    }

    @Test func `a peer that closes in the middle of a body is told that it is cut`() async throws {
        let connection = try await HTTPTranscript()
        try await connection.receive(String(post.dropLast(3)))
        try await connection.halfClose()
        #expect(connection.socket.output().contains("truncated_body"))
        #expect(connection.shared.channel.waitingBytes == 0)
    }

    @Test func `a stop ends idle connections at once and others after their answer`() async throws {
        let idle = try await HTTPTranscript()
        try await idle.quiesce()
        #expect(idle.isOutputClosed)
        let busy = try await HTTPTranscript()
        try await busy.receive(post)
        try await busy.quiesce()
        #expect(!busy.isOutputClosed)
        await busy.settle()
        #expect(busy.socket.output().contains("Connection: close"))
        #expect(busy.isOutputClosed)
    }

    @Test func `a stop waits no longer than it may`() async throws {
        let connection = try await HTTPTranscript { $0.intake.drainLimit = .seconds(5) }
        try await connection.receive(post)
        try await connection.quiesce()
        await connection.pass(.milliseconds(4999))
        #expect(!connection.isClosed)
        await connection.pass(.milliseconds(1))
        #expect(connection.isClosed)
    }

    @Test func `a body may come in pieces, as long as they keep coming`() async throws {
        let connection = try await HTTPTranscript {
            $0.http.bodyRateInterval = .seconds(10); $0.http.bodyRateMin = 1
        }
        let body = "[" + Array(repeating: good, count: 4).joined(separator: ",") + "]"
        let text = request(body: body)
        try await connection.receive(String(text.dropLast(body.count)))
        for piece in 0..<body.count / 20 {
            try await connection.receive(String(body.dropFirst(piece * 20).prefix(20)))
            await connection.pass(.seconds(10))
        }
        #expect(connection.statuses() == [])
        try await connection.receive(String(body.suffix(body.count % 20)))
        let submission = await connection.submission()
        #expect(submission.count == 4)
        submission.reply(.durable(0..<4))
        await connection.run()
        #expect(connection.statuses() == [202])
    }

    @Test func `a body that comes too slowly is 408, unless the spool is what is slow`() async throws {
        let slow = try await HTTPTranscript()
        try await slow.receive(String(post.dropLast(3)))
        await slow.pass(.seconds(10))
        #expect(slow.statuses() == [408])
        let held = try await HTTPTranscript { $0.http.submissionBytes = 10 }
        try await held.receive(
            String(request(body: "[\(good),\(good),\(good)]").dropLast(3)))
        #expect(try await !held.read(), "two submissions are full")
        await held.pass(.seconds(10))
        #expect(held.statuses() == [])
        await held.settle()
        #expect(held.socket.reads > 0, "the read that was held back has gone on")
    }

    @Test func `a wait for a commit ends with 202 once the line is durable and the time is up, in either order`()
        async throws
    {
        for isDurableFirst in [true, false] {
            let connection = try await HTTPTranscript { $0.intake.committedWait = .seconds(30) }
            try await connection.receive(request("POST", "/v1/events?ack=committed", body: good))
            let submission = await connection.submission()
            if isDurableFirst {
                submission.onDurable?(0..<1)
                await connection.pass(.seconds(30))
            } else {
                await connection.pass(.seconds(30))
                #expect(connection.statuses() == [])
                submission.onDurable?(0..<1)
                await connection.run()
            }
            #expect(connection.statuses() == [202])
            #expect(connection.shared.waiters.hasAtMost(255), "the commit is still on its way")
            submission.reply(.committed(0..<1, CommittedLines()))
            await connection.run()
            #expect(connection.statuses() == [])
            #expect(!connection.shared.waiters.hasAtMost(255))
        }
    }

    @Test func `a short body that is refused by its head is read away, a long one is not waited for`() async throws {
        let short = try await HTTPTranscript()
        let refused = request("POST", "/v1/events?ack=maybe", body: good)
        try await short.receive(String(refused.dropLast(3)))
        #expect(short.statuses() == [])
        try await short.receive(String(refused.suffix(3)) + post)
        #expect(short.statuses() == [400])
        await short.settle()
        #expect(short.statuses() == [202])
        let long = try await HTTPTranscript()
        try await long.receive("POST /v1/events?ack=maybe HTTP/1.1\r\nHost: localhost\r\nContent-Length: 70000\r\n\r\n")
        #expect(long.statuses() == [400])
        #expect(long.isOutputClosed)
    }

    @Test func `without keep-alive each answer ends its connection`() async throws {
        let connection = try await HTTPTranscript { $0.http.keepAlive = .zero }
        try await connection.receive(post + post)
        await connection.settle()
        #expect(connection.statuses() == [202])
        #expect(connection.isOutputClosed)
    }

    @Test func `after an offer of another protocol HTTP goes on`() async throws {
        let connection = try await HTTPTranscript()
        let fields = ["Connection: upgrade", "Upgrade: websocket"]
        try await connection.receive(request("POST", "/v1/events", fields, body: good) + post)
        await connection.settle()
        #expect(connection.statuses() == [202])
        await connection.settle()
        #expect(connection.statuses() == [202])
        let unclear = try await HTTPTranscript()
        try await unclear.receive(request("GET", "/x", ["Connection: xupgrade", "Upgrade: websocket"]))
        #expect(unclear.socket.output().contains("Connection: close"))
    }

    @Test func `a client that takes none of its answer is cut off, and one that takes some is not`() async throws {
        let connection = try await HTTPTranscript { $0.http.writeTimeout = .seconds(30) }
        try await connection.takeOutput(false)
        try await connection.receive(post + post)
        await connection.settle()
        await connection.pass(.seconds(29))
        try await connection.takeOutput(true)
        #expect(connection.statuses() == [202])
        try await connection.takeOutput(false)
        await connection.settle()
        await connection.pass(.seconds(29))
        #expect(!connection.isClosed)
        await connection.pass(.seconds(2))
        #expect(connection.isClosed)
    }

    @Test func `the next request waits until the answer before it is taken`() async throws {
        let connection = try await HTTPTranscript()
        try await connection.takeOutput(false)
        try await connection.receive(post + request("GET", "/x"))
        await connection.settle()
        #expect(try await !connection.read())
        try await connection.takeOutput(true)
        await connection.run()
        #expect(connection.statuses() == [202, 200])
    }

    @Test func `the routes answer in their turn, HEAD without a body, and close when they answer early`() async throws {
        let connection = try await HTTPTranscript()
        try await connection.receive(request("GET", "/x") + request("HEAD", "/x") + request("GET", "/x"))
        #expect(connection.socket.output().ranges(of: "\r\n\r\nok").count == 2)
        try await connection.receive(String(request("POST", "/early", body: good).dropLast(3)))
        #expect(connection.socket.output().contains("Connection: close"))
        #expect(connection.isOutputClosed)
    }

    @Test func `one connection too many is told so`() async throws {
        let first = try await HTTPTranscript {
            $0.http.connectionsMax = 2; $0.http.reservedConnections = 1
        }
        let second = try await HTTPTranscript(beside: first)
        let third = try await HTTPTranscript(beside: first)
        #expect(third.statuses() == [503])
        #expect(third.isOutputClosed)
        try await second.receive(request("GET", "/livez"))
        #expect(second.statuses() == [200])
        try await second.receive(post)
        #expect(second.statuses() == [503], "the last places answer for operations only")
    }

    @Test func `a refused submission after others were taken ends the body where it began`() async throws {
        let connection = try await HTTPTranscript { $0.http.submissionBytes = 10 }
        try await connection.receive(request(body: "[\(good),\(good)]"))
        await connection.settle()
        await connection.settle { _ in .failed(.spoolFull) }
        let output = connection.socket.output()
        #expect(output.hasPrefix("HTTP/1.1 202"))
        #expect(output.contains(#"{"accepted":1,"rejected":[{"index":1,"error":{"code":"spool_full""#))
    }
}
