import Testing

@testable import MillraceClient

/// The client around its state machine, without a daemon: nobody listens on the port.
struct MillraceClientTests {
    private static func client(_ change: (inout MillraceClient.Configuration) -> Void = { _ in }) throws
        -> MillraceClient
    {
        var configuration = MillraceClient.Configuration(.unix(path: "/nowhere/millrace.sock"))
        configuration.bufferEventsMax = 1
        change(&configuration)
        return try MillraceClient(configuration)
    }

    @Test func `who waits for room and is cancelled is not sent; who waits for an answer is sent all the same`()
        async throws
    {
        let client = try Self.client()
        let event = try MillraceClient.Event("kept")
        await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await client.send(event) }
            // It is in the buffer before the next one asks.
            while client.undelivered.isEmpty { await Task.yield() }
            group.addTask { try await client.enqueue(MillraceClient.Event("dropped")) }
            group.addTask { try await client.flush() }
            group.cancelAll()
            for _ in 0..<3 {
                await #expect(throws: CancellationError.self) { try await group.next() }
            }
        }
        #expect(client.undelivered == [event])
    }

    @Test func `who is cancelled already is not sent`() async throws {
        let client = try Self.client()
        await withTaskGroup(of: Void.self) { group in
            group.cancelAll()
            group.addTask {
                await #expect(throws: CancellationError.self) { try await client.enqueue(MillraceClient.Event("a")) }
            }
        }
        #expect(client.undelivered.isEmpty)
    }

    @Test func `a client that gives up tells everyone why, and is closed`() async throws {
        let client = try Self.client { $0.giveUpAfter = .zero }
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                let error = await #expect(throws: MillraceClientError.self) { try await client.run() }
                #expect(error?.code == .connectionFailed)
            }
            let error = await #expect(throws: MillraceClientError.self) {
                try await client.send(MillraceClient.Event("a"))
            }
            #expect(error?.code == .connectionFailed && error?.message.contains("/nowhere/millrace.sock") == true)
            try await group.waitForAll()
        }
        let later = await #expect(throws: MillraceClientError.self) { try await client.flush() }
        #expect(later?.code == .connectionFailed)
        #expect(client.undelivered.count == 1)
    }

    @Test func `the end of its task tells those who wait`() async throws {
        let client = try Self.client()
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                await withTaskGroup(of: Void.self) { inner in
                    inner.addTask {
                        await #expect(throws: CancellationError.self) { try await client.run() }
                    }
                    while client.undelivered.isEmpty { await Task.yield() }
                    inner.cancelAll()
                }
            }
            let error = await #expect(throws: MillraceClientError.self) {
                try await client.send(MillraceClient.Event("a"))
            }
            #expect(error?.code == .undelivered)
        }
    }

    @Test func `withClient returns what its body does, and throws what it throws, and what was not delivered`()
        async throws
    {
        var configuration = MillraceClient.Configuration(.unix(path: "/nowhere/millrace.sock"))
        configuration.shutdownTimeout = .milliseconds(50)
        #expect(try await MillraceClient.withClient(configuration) { _ in 7 } == 7)
        struct Own: Error {}
        await #expect(throws: Own.self) {
            try await MillraceClient.withClient(configuration) { client in
                try await client.enqueue(MillraceClient.Event("a"))
                throw Own()
            }
        }
        let error = await #expect(throws: MillraceClientError.self) {
            try await MillraceClient.withClient(configuration) { client in
                try await client.enqueue(MillraceClient.Event("a"))
            }
        }
        #expect(error?.code == .undelivered)
    }

    @Test func `a wake that nobody waited for is kept, and several are one`() async {
        let signal = WakeSignal()
        signal.wake()
        signal.wake()
        await signal.wait()
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await signal.wait() }
            signal.wake()
        }
    }
}
