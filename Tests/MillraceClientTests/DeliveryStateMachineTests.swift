import Testing

@testable import MillraceClient

struct DeliveryStateMachineTests {
    private let start = ContinuousClock.now
    private let lost = MillraceClientError(.connectionFailed, "lost", hint: "", isRetryable: true)

    private func machine(
        eventsMax: Int = 10, bytesMax: Int = 10_000, waitsForRoom: Bool = true, giveUpAfter: Duration? = nil
    ) -> DeliveryStateMachine {
        DeliveryStateMachine(
            .init(
                eventsMax: eventsMax, bytesMax: bytesMax, waitsForRoom: waitsForRoom,
                backoff: Backoff(waitMin: .milliseconds(100), waitMax: .seconds(30)), greetingTimeout: .seconds(10),
                answerTimeout: .seconds(60), shutdownTimeout: .seconds(5), giveUpAfter: giveUpAfter))
    }

    private func events(_ count: Int) throws -> [MillraceClient.Event] {
        try (0..<count).map { try MillraceClient.Event("type-\($0)") }
    }

    private func greet(_ machine: inout DeliveryStateMachine, at time: ContinuousClock.Instant? = nil) throws {
        machine.connected(at: time ?? start)
        let hello = ServerMessage(hello: .init(server: "millrace", version: "1"))
        #expect(try machine.received(hello, at: time ?? start) == [])
    }

    private func receipt(_ event: MillraceClient.Event) -> MillraceClient.Receipt {
        MillraceClient.Receipt(id: event.id, reports: [])
    }

    /// The types of the events whose lines go out now.
    private func sent(_ machine: inout DeliveryStateMachine, at time: ContinuousClock.Instant? = nil) -> [String] {
        let bytes = machine.takeUnsent(upTo: 1 << 20, at: time ?? start)
        return String(decoding: bytes, as: UTF8.self).split(separator: "\n").map { line in
            String(line.firstMatch(of: #/"event_type":"([^"]+)"/#)?.output.1 ?? "?")
        }
    }

    // MARK: Acks

    @Test func `nothing goes out before the greeting is answered, and a receipt comes with the ack`() throws {
        var machine = machine()
        let event = try MillraceClient.Event("a")
        #expect(machine.next(at: start) == .wait(until: nil))
        #expect(machine.offer(event, ticket: 1, isAwaited: true) == .taken)
        #expect(machine.next(at: start) == .connect)
        machine.connected(at: start)
        #expect(sent(&machine) == [])
        try greet(&machine)
        #expect(machine.hasBytesToSend)
        #expect(sent(&machine) == ["a"])
        #expect(!machine.hasBytesToSend)
        #expect(try machine.received(ServerMessage(ack: 1), at: start) == [.settled(ticket: 1, receipt(event))])
        #expect(machine.buffer.count == 0 && machine.buffer.byteCount == 0)
    }

    @Test func `what was not acked goes out again over the next connection, in order, the same bytes`() throws {
        var machine = machine()
        let events = try events(4)
        for (index, event) in events.enumerated() {
            #expect(machine.offer(event, ticket: index, isAwaited: true) == .taken)
        }
        try greet(&machine)
        let first = machine.takeUnsent(upTo: 1 << 20, at: start)
        #expect(
            try machine.received(ServerMessage(ack: 2), at: start) == [
                .settled(ticket: 0, receipt(events[0])), .settled(ticket: 1, receipt(events[1])),
            ])
        #expect(machine.connectionLost(lost, at: start, chance: 0) == [])
        try greet(&machine)
        let second = machine.takeUnsent(upTo: 1 << 20, at: start)
        #expect(first.suffix(second.count) == second[...])
        #expect(second == events[2].line + [10] + events[3].line + [10])
        // Acks count from the start of the connection.
        #expect(
            try machine.received(ServerMessage(ack: 2), at: start) == [
                .settled(ticket: 2, receipt(events[2])), .settled(ticket: 3, receipt(events[3])),
            ])
    }

    @Test func `a refusal is told with the ack that covers it, and not when the connection ends before`() throws {
        var machine = machine()
        for (index, event) in try events(2).enumerated() {
            #expect(machine.offer(event, ticket: index, isAwaited: true) == .taken)
        }
        let refused = ServerMessage(line: 1, error: .init(code: "invalid_event_type", message: "no"))
        try greet(&machine)
        #expect(sent(&machine).count == 2)
        #expect(try machine.received(refused, at: start) == [])
        #expect(machine.connectionLost(lost, at: start, chance: 0) == [])
        try greet(&machine)
        #expect(sent(&machine) == ["type-0", "type-1"])
        #expect(try machine.received(refused, at: start) == [])
        let notices = try machine.received(ServerMessage(ack: 2), at: start)
        guard case .failed(0, let error) = notices.first else {
            Issue.record("\(notices)")
            return
        }
        #expect(error.code == .refused && error.reason == "invalid_event_type" && !error.isRetryable)
        guard case .settled(1, _) = notices.last else {
            Issue.record("\(notices)")
            return
        }
        // It is not sent again.
        #expect(machine.buffer.count == 0)
    }

    @Test func `enqueued events are told of by the flush after them, and each refusal to the app at once`() throws {
        var machine = machine()
        let events = try events(3)
        for (index, event) in events.enumerated() {
            #expect(machine.offer(event, ticket: index, isAwaited: false) == .taken)
        }
        #expect(machine.flush(ticket: 9) == nil)
        // What comes after a flush is not waited for.
        #expect(machine.offer(try MillraceClient.Event("later"), ticket: 3, isAwaited: false) == .taken)
        try greet(&machine)
        #expect(sent(&machine).count == 4)
        _ = try machine.received(ServerMessage(line: 2, error: .init(code: "no", message: "why")), at: start)
        let refusal = MillraceClient.Refusal(event: events[1], code: "no", message: "why")
        #expect(
            try machine.received(ServerMessage(ack: 3), at: start) == [
                .refused(refusal),
                .flushed(ticket: 9, .init(acceptedCount: 2, refusedCount: 1, refusals: [refusal])),
            ])
        _ = try machine.received(ServerMessage(ack: 4), at: start)
        #expect(machine.flush(ticket: 10) == .flushed(ticket: 10, .init(acceptedCount: 1)))
        #expect(machine.flush(ticket: 11) == .flushed(ticket: 11, .init()))
    }

    @Test func `what became of an accepted event is in its receipt`() throws {
        var machine = machine()
        let event = try MillraceClient.Event("a")
        _ = machine.offer(event, ticket: 1, isAwaited: true)
        try greet(&machine)
        #expect(sent(&machine).count == 1)
        let parked =
            #"{"line":1,"parked":{"pack":"shop","fold":"users","code":"database","constraint":"users_key","#
            + #""sqlstate":"23505","message":"duplicate"}}"#
        let dead = #"{"line":1,"dead_letter":{"code":"month_retired","message":"gone"}}"#
        for line in [parked, dead, #"{"lines":{"first":1,"last":1},"parked_total":1,"dead_letters_total":1}"#] {
            #expect(try machine.received(ServerMessage(line: line.utf8), at: start) == [])
        }
        let notices = try machine.received(ServerMessage(ack: 1), at: start)
        guard case .settled(1, let receipt) = notices.first else {
            Issue.record("\(notices)")
            return
        }
        #expect(receipt.reports.map(\.fate) == [.parked, .deadLetter])
        #expect(receipt.reports.first?.projection == "shop.users")
        #expect(receipt.reports.first?.sqlState == "23505" && receipt.reports.first?.constraint == "users_key")
    }

    @Test(
        arguments: [
            #"{"ack":3}"#, #"{"ack":-1}"#, #"{"line":3,"error":{"code":"a","message":"b"}}"#,
            #"{"line":0,"error":{"code":"a","message":"b"}}"#, #"{"ack":"1"}"#, #"{"n":1}"#, "[1]", "HTTP/1.1 400", "",
            #"{"line":9223372036854775807,"parked":{"code":"a","message":"b"}}"#,
        ])
    func `what no daemon says ends the client, and settles nothing`(line: String) throws {
        var machine = machine()
        for (index, event) in try events(2).enumerated() {
            #expect(machine.offer(event, ticket: index, isAwaited: true) == .taken)
        }
        try greet(&machine)
        #expect(sent(&machine).count == 2)
        do {
            _ = try machine.received(ServerMessage(line: line.utf8), at: start)
            Issue.record("\(line) was taken")
        } catch {
            #expect(error.code == .foreignServer && !error.isRetryable)
            #expect(machine.connectionLost(error, at: start, chance: 0).count == 2)
        }
        #expect(machine.buffer.count == 2)
    }

    // MARK: The buffer

    @Test func `who has no room waits for it in the order of the calls, up to both bounds`() throws {
        let events = try events(5)
        let size = EventBuffer.bytes(of: events[0])
        for bounds in [(2, 10_000), (10, 2 * size + 1)] {
            var machine = machine(eventsMax: bounds.0, bytesMax: bounds.1)
            #expect(machine.offer(events[0], ticket: 0, isAwaited: false) == .taken)
            #expect(machine.offer(events[1], ticket: 1, isAwaited: false) == .taken)
            #expect(machine.offer(events[2], ticket: 2, isAwaited: false) == .waits)
            #expect(machine.offer(events[3], ticket: 3, isAwaited: true) == .waits)
            #expect(machine.offer(events[4], ticket: 4, isAwaited: false) == .waits)
            // One who gives up is never sent.
            machine.withdraw(ticket: 2)
            try greet(&machine)
            #expect(sent(&machine) == ["type-0", "type-1"])
            // One who waits for the answer is told of nothing before.
            #expect(try machine.received(ServerMessage(ack: 1), at: start) == [])
            #expect(sent(&machine) == ["type-3"])
            #expect(try machine.received(ServerMessage(ack: 2), at: start) == [.admitted(ticket: 4)])
            #expect(
                try machine.received(ServerMessage(ack: 3), at: start) == [.settled(ticket: 3, receipt(events[3]))])
        }
    }

    @Test func `with the other policy a full buffer refuses, and takes again once there is room`() throws {
        var machine = machine(eventsMax: 1, waitsForRoom: false)
        let events = try events(2)
        #expect(machine.offer(events[0], ticket: 0, isAwaited: true) == .taken)
        guard case .refused(let error) = machine.offer(events[1], ticket: 1, isAwaited: true) else {
            Issue.record("there is no room")
            return
        }
        #expect(error.code == .bufferFull && error.isRetryable)
        try greet(&machine)
        #expect(sent(&machine).count == 1)
        _ = try machine.received(ServerMessage(ack: 1), at: start)
        #expect(machine.offer(events[1], ticket: 1, isAwaited: true) == .taken)
    }

    @Test func `an event that never fits is refused at once`() throws {
        var machine = machine(bytesMax: 40)
        guard case .refused(let error) = machine.offer(try MillraceClient.Event("a"), ticket: 1, isAwaited: true) else {
            Issue.record("it is larger than the buffer")
            return
        }
        #expect(error.code == .eventTooLarge)
    }

    @Test func `many events go out in pieces of whole lines, one at least`() throws {
        var buffer = EventBuffer()
        let events = try events(3)
        for event in events { buffer.append(.init(event: event)) }
        #expect(buffer.takeUnsent(upTo: 1) == events[0].line + [10])
        #expect(buffer.sentCount == 1)
        #expect(buffer.takeUnsent(upTo: 1 << 20) == events[1].line + [10] + events[2].line + [10])
        #expect(!buffer.hasUnsent && buffer.takeUnsent(upTo: 100) == [])
    }

    // MARK: Failures

    @Test func `waits double up to the longest, less what chance takes off, and an ack begins anew`() throws {
        var machine = machine()
        _ = machine.offer(try MillraceClient.Event("a"), ticket: 1, isAwaited: true)
        var now = start
        for milliseconds in [100, 200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 30_000, 30_000] {
            #expect(machine.connectionLost(lost, at: now, chance: 0) == [])
            let until = now + .milliseconds(milliseconds)
            #expect(machine.next(at: now) == .wait(until: until))
            #expect(machine.next(at: until) == .connect)
            now = until
        }
        #expect(machine.connectionLost(lost, at: now, chance: 0.5) == [])
        #expect(machine.next(at: now) == .wait(until: now + .milliseconds(22_500)))
        try greet(&machine, at: now)
        #expect(sent(&machine, at: now).count == 1)
        _ = machine.offer(try MillraceClient.Event("b"), ticket: 2, isAwaited: true)
        _ = try machine.received(ServerMessage(ack: 1), at: now)
        #expect(machine.connectionLost(lost, at: now, chance: 0) == [])
        #expect(machine.next(at: now) == .wait(until: now + .milliseconds(100)))
    }

    @Test func `a connection that ends while nothing waits is no failure, and none is made until something does`()
        throws
    {
        var machine = machine()
        try greet(&machine)
        #expect(machine.connectionLost(lost, at: start, chance: 0) == [])
        #expect(machine.next(at: start) == .wait(until: nil))
        _ = machine.offer(try MillraceClient.Event("a"), ticket: 1, isAwaited: true)
        #expect(machine.next(at: start) == .connect)
    }

    @Test(
        arguments: [
            ("unauthenticated", true), ("forbidden", true), ("invalid_hello", true), ("http_on_tcp", true),
            ("tls_required", true), ("rate_limited", false), ("too_many_connections", false), ("memory_budget", false),
            ("too_many_refused_lines", false), ("idle_timeout", false), ("one_of_a_later_version", false),
        ])
    func `what the daemon ends a connection for is final, or tried again`(code: String, isFinal: Bool) throws {
        for isGreeted in [false, true] {
            var machine = machine()
            _ = machine.offer(try MillraceClient.Event("a"), ticket: 1, isAwaited: true)
            if isGreeted { try greet(&machine) } else { machine.connected(at: start) }
            do {
                _ = try machine.received(ServerMessage(error: .init(code: code, message: "why")), at: start)
                Issue.record("\(code) ends a connection")
            } catch {
                #expect(error.code == .turnedAway && error.reason == code && error.isRetryable == !isFinal)
                let notices = machine.connectionLost(error, at: start, chance: 0)
                #expect(notices == (isFinal ? [.failed(ticket: 1, error)] : []))
                #expect(
                    machine.next(at: start) == (isFinal ? .fail(error) : .wait(until: start + .milliseconds(100))))
            }
        }
    }

    @Test func `the end is told to everyone, and to those who come later; what has no answer can be taken out`() throws
    {
        var machine = machine(eventsMax: 2)
        let events = try events(3)
        _ = machine.offer(events[0], ticket: 0, isAwaited: true)
        _ = machine.offer(events[1], ticket: 1, isAwaited: false)
        _ = machine.offer(events[2], ticket: 2, isAwaited: false)
        #expect(machine.flush(ticket: 3) == nil)
        let final = MillraceClientError(.turnedAway, "no", hint: "")
        let notices = machine.connectionLost(final, at: start, chance: 0)
        #expect(notices == [0, 2, 3].map { .failed(ticket: $0, final) })
        #expect(machine.offer(events[0], ticket: 4, isAwaited: true) == .refused(final))
        #expect(machine.flush(ticket: 5) == .failed(ticket: 5, final))
        #expect(machine.buffer.events == [events[0], events[1]])
        #expect(machine.end(lost) == [])
    }

    @Test func `with a limit it gives up once connections have failed for so long, counted from the last ack`() throws {
        var machine = machine(giveUpAfter: .seconds(10))
        _ = machine.offer(try MillraceClient.Event("a"), ticket: 1, isAwaited: true)
        #expect(machine.connectionLost(lost, at: start, chance: 0) == [])
        #expect(machine.connectionLost(lost, at: start + .seconds(9), chance: 0) == [])
        #expect(machine.connectionLost(lost, at: start + .seconds(10), chance: 0) == [.failed(ticket: 1, lost)])
        #expect(machine.next(at: start + .seconds(10)) == .fail(lost))
    }

    // MARK: Time

    @Test func `a greeting and answers that don't come end the connection, a silence with nothing out does not`() throws
    {
        var machine = machine()
        machine.connected(at: start)
        #expect(machine.deadline == start + .seconds(10))
        try machine.checkDeadline(at: start + .seconds(9))
        #expect(throws: MillraceClientError.self) { try machine.checkDeadline(at: start + .seconds(10)) }
        try greet(&machine)
        #expect(machine.deadline == nil)
        try machine.checkDeadline(at: start + .seconds(10_000))
        for (index, event) in try events(2).enumerated() { _ = machine.offer(event, ticket: index, isAwaited: true) }
        let sentAt = start + .seconds(100)
        #expect(sent(&machine, at: sentAt).count == 2)
        #expect(machine.deadline == sentAt + .seconds(60))
        // Each ack is progress.
        _ = try machine.received(ServerMessage(ack: 1), at: sentAt + .seconds(59))
        try machine.checkDeadline(at: sentAt + .seconds(60))
        do {
            try machine.checkDeadline(at: sentAt + .seconds(119))
            Issue.record("nothing was answered for 60 seconds")
        } catch {
            #expect(error.isRetryable)
        }
    }

    @Test func `a shutdown takes nothing new, delivers what there is, and ends`() throws {
        var machine = machine(eventsMax: 1)
        let events = try events(3)
        _ = machine.offer(events[0], ticket: 0, isAwaited: true)
        _ = machine.offer(events[1], ticket: 1, isAwaited: false)
        machine.shutdownRequested(at: start)
        guard case .refused(let error) = machine.offer(events[2], ticket: 2, isAwaited: true) else {
            Issue.record("it is shutting down")
            return
        }
        #expect(error.code == .closed)
        #expect(machine.next(at: start) == .connect)
        try greet(&machine)
        #expect(sent(&machine) == ["type-0"])
        #expect(!machine.isFinished)
        // Who came before still gets room.
        #expect(
            try machine.received(ServerMessage(ack: 1), at: start) == [
                .settled(ticket: 0, receipt(events[0])), .admitted(ticket: 1),
            ])
        #expect(sent(&machine) == ["type-1"])
        _ = try machine.received(ServerMessage(ack: 2), at: start)
        #expect(machine.isFinished)
    }

    @Test func `a shutdown without anything to deliver is over at once, and its time is a limit`() throws {
        var empty = machine()
        empty.shutdownRequested(at: start)
        #expect(empty.next(at: start) == .finish)
        try empty.checkDeadline(at: start + .seconds(100))

        var full = machine()
        _ = full.offer(try MillraceClient.Event("a"), ticket: 1, isAwaited: true)
        full.shutdownRequested(at: start)
        #expect(full.connectionLost(lost, at: start + .seconds(4), chance: 0) == [])
        full.shutdownRequested(at: start + .seconds(4))
        #expect(full.next(at: start + .seconds(4)) == .wait(until: start + .milliseconds(4100)))
        try full.checkDeadline(at: start + .milliseconds(4999))
        do {
            try full.checkDeadline(at: start + .seconds(5))
            Issue.record("the time is over")
        } catch {
            #expect(error.code == .undelivered)
            #expect(full.end(error) == [.failed(ticket: 1, error)])
        }
    }
}
