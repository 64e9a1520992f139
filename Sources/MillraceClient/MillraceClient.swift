public import Logging
public import NIOCore
public import NIOPosix
public import ServiceLifecycle
internal import Synchronization

/// Sends events to a Millrace daemon: buffers them, keeps one connection, and sends again what was not acknowledged.
///
/// ```swift
/// let configuration = MillraceClient.Configuration(host: "127.0.0.1")
/// try await MillraceClient.withClient(configuration) { client in
///     try await client.send(MillraceClient.Event("order.paid", payload: ["total": 12.5]))  // until the daemon has it
///     try await client.enqueue(MillraceClient.Event("page.viewed"))  // until the buffer has it
/// }  // what is enqueued is delivered before this returns
/// ```
///
/// In a server, the client is one of the services, and delivers what it holds when the server stops:
///
/// ```swift
/// let client = try MillraceClient(configuration, logger: logger)
/// try await ServiceGroup(services: [client, server], gracefulShutdownSignals: [.sigterm], logger: logger).run()
/// ```
///
/// - Everything that leaves the client is one task, ``run()``: without it nothing is sent.
/// - An event has its id before it is sent, and a lost answer is answered by sending again: it counts once.
/// - The buffer is bounded in events and bytes; beyond that, callers wait, or are refused
///   (``Configuration/whenFull``). It is memory: what is in it when the process dies is lost, so wait for
///   ``send(_:)`` or ``flush()`` where that matters.
/// - The daemon slows senders down by not reading, so there is no request to be turned away: a full spool or a used-up rate
///   is a wait, never an error.
public final class MillraceClient: Sendable, Service {
    private struct State {
        var machine: DeliveryStateMachine
        var waiters = Waiters()
        var isRunning = false

        /// What the notices mean for those who wait; and those that are for others.
        mutating func resumptions(
            _ notices: [DeliveryNotice]
        ) -> (resumptions: [Waiters.Resumption], others: [DeliveryNotice]) {
            var resumptions: [Waiters.Resumption] = []
            var others: [DeliveryNotice] = []
            for notice in notices {
                switch notice {
                case .refused, .limited: others.append(notice)
                default: if let resumption = waiters.resumption(for: notice) { resumptions.append(resumption) }
                }
            }
            return (resumptions, others)
        }
    }

    /// Bytes that go to the socket at once.
    private static let writeBytesMax = 128 << 10
    /// How often deadlines are looked at while a connection stands.
    private static let tick = Duration.seconds(1)

    private let configuration: Configuration
    private let connector: ClientConnector
    private let logger: Logger
    private let state: Mutex<State>
    private let signal = WakeSignal()

    /// Makes a client, which sends once ``run()`` runs. Reads the files of ``Configuration/tls``.
    ///
    /// - Parameters:
    ///   - configuration: where the daemon is, and what the client may hold and wait for.
    ///   - logger: told when a connection is lost and there again; nil: nobody is.
    ///   - group: whose threads do the network's work.
    /// - Throws: ``MillraceClientError`` with ``MillraceClientError/Code/invalidConfiguration``.
    public init(
        _ configuration: Configuration, logger: Logger? = nil,
        group: any EventLoopGroup = MultiThreadedEventLoopGroup.singleton
    ) throws(MillraceClientError) {
        try configuration.validate()
        self.configuration = configuration
        self.logger = logger ?? Logger(label: "millrace.client", factory: { _ in SwiftLogNoOpLogHandler() })
        connector = try ClientConnector(configuration, group: group)
        let bounds = DeliveryStateMachine.Bounds(
            eventsMax: configuration.bufferEventsMax, bytesMax: configuration.bufferBytesMax,
            waitsForRoom: configuration.whenFull == .wait,
            backoff: Backoff(waitMin: configuration.backoffMin, waitMax: configuration.backoffMax),
            greetingTimeout: configuration.connectTimeout, answerTimeout: configuration.answerTimeout,
            shutdownTimeout: configuration.shutdownTimeout, giveUpAfter: configuration.giveUpAfter)
        state = Mutex(State(machine: DeliveryStateMachine(bounds)))
    }

    /// Runs a client for as long as `body` does, and delivers what it holds before this returns.
    ///
    /// - Throws: what `body` throws; else ``MillraceClientError`` where something was not delivered.
    public static func withClient<Answer>(
        _ configuration: Configuration, logger: Logger? = nil, isolation: isolated (any Actor)? = #isolation,
        _ body: (MillraceClient) async throws -> Answer
    ) async throws -> Answer {
        let client = try MillraceClient(configuration, logger: logger)
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await client.run() }
            let answer: Answer
            do {
                answer = try await body(client)
            } catch {
                client.shutdown()
                try? await group.waitForAll()
                throw error
            }
            client.shutdown()
            try await group.waitForAll()
            return answer
        }
    }
}

// MARK: - Sending

extension MillraceClient {
    /// Sends an event, and returns once the daemon has it: durable on its disk, or committed, as
    /// ``Configuration/acknowledgement`` says.
    ///
    /// When the waiting task is cancelled, the event is sent all the same, unless it still waits for room.
    ///
    /// - Throws: ``MillraceClientError``: ``MillraceClientError/Code/refused`` where the daemon does not take the event, and
    ///   why no answer will come otherwise; `CancellationError`.
    @discardableResult
    public func send(_ event: Event) async throws -> Receipt {
        try await wait { state, ticket, continuation in
            state.waiters.add(.receipt(continuation), ticket: ticket)
            if case .refused(let error) = state.machine.offer(event, ticket: ticket, isAwaited: true) {
                return .failed(ticket: ticket, error)
            }
            return nil
        }
    }

    /// Puts an event into the buffer, from where it is sent; returns at once where there is room. What becomes of it is told
    /// by ``flush()`` and ``Configuration/onRefused``.
    ///
    /// - Throws: ``MillraceClientError``: ``MillraceClientError/Code/bufferFull`` where it does not wait for room, and why
    ///   nothing is taken any more; `CancellationError` while it waits for room, and then the event is not sent.
    public func enqueue(_ event: Event) async throws {
        try await wait { (state, ticket, continuation: CheckedContinuation<Void, any Error>) in
            state.waiters.add(.room(continuation), ticket: ticket)
            switch state.machine.offer(event, ticket: ticket, isAwaited: false) {
            case .taken: return .admitted(ticket: ticket)
            case .waits: return nil
            case .refused(let error): return .failed(ticket: ticket, error)
            }
        }
    }

    /// Waits until everything that was enqueued before has its answer.
    ///
    /// - Returns: what became of the events that were enqueued since the flush before. Where several tasks flush, each event
    ///   is in the report of one of them.
    /// - Throws: ``MillraceClientError`` where answers will not come; `CancellationError`.
    @discardableResult
    public func flush() async throws -> FlushReport {
        try await wait { state, ticket, continuation in
            state.waiters.add(.flush(continuation), ticket: ticket)
            return state.machine.flush(ticket: ticket)
        }
    }

    /// Ends ``run()`` once what the client holds is delivered, or ``Configuration/shutdownTimeout`` is over. From now on
    /// nothing new is taken. Does not wait; a graceful shutdown of the service group does the same.
    public func shutdown() {
        state.withLock { $0.machine.shutdownRequested(at: .now) }
        signal.wake()
    }

    /// The events that have no answer, in their order. After ``run()`` has ended, those are what is to be kept elsewhere and
    /// sent again: what the daemon has of them all the same counts once.
    public var undelivered: [Event] { state.withLock { $0.machine.buffer.events } }

    /// Waits for a notice with the ticket that `call` is given. What `call` returns is such a notice that is there already.
    private func wait<Answer: Sendable>(
        _ call: (inout State, Int, CheckedContinuation<Answer, any Error>) -> DeliveryNotice?
    ) async throws -> Answer {
        let ticket = state.withLock { $0.waiters.nextTicket() }
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let resumption = state.withLock { state -> Waiters.Resumption? in
                    guard !Task.isCancelled else { return { continuation.resume(throwing: CancellationError()) } }
                    guard let notice = call(&state, ticket, continuation) else { return nil }
                    return state.waiters.resumption(for: notice)
                }
                resumption?()
                signal.wake()
            }
        } onCancel: {
            let waiter = state.withLock { state in
                state.machine.withdraw(ticket: ticket)
                return state.waiters.remove(ticket: ticket)
            }
            waiter?.fail(CancellationError())
        }
    }
}

// MARK: - Delivering

extension MillraceClient {
    /// Delivers what the client is given, until the task is cancelled, the client is shut down, or there is no hope. To be
    /// called once, and to run as long as events are sent.
    ///
    /// - Throws: ``MillraceClientError`` with ``MillraceClientError/Code/undelivered`` where a shutdown's time was over, and
    ///   with the daemon's reason where it turned the client away for good; `CancellationError`.
    public func run() async throws {
        let isFirst = state.withLock { state in
            defer { state.isRunning = true }
            return !state.isRunning
        }
        precondition(isFirst, "run() is called once")
        do {
            try await withGracefulShutdownHandler {
                try await deliver()
            } onGracefulShutdown: {
                self.shutdown()
            }
            end(MillraceClientError(.closed, "the client has ended", hint: "Make another one"))
        } catch let error as MillraceClientError {
            end(error)
            throw error
        } catch {
            end(state.withLock { $0.machine.undelivered("the client's task was cancelled") })
            throw error
        }
    }

    private func end(_ error: MillraceClientError) {
        tell(state.withLock { $0.resumptions($0.machine.end(error)) })
    }

    /// From connection to connection.
    private func deliver() async throws {
        while true {
            try Task.checkCancellation()
            let step = try state.withLock { state in
                try state.machine.checkDeadline(at: .now)
                return state.machine.next(at: .now)
            }
            switch step {
            case .finish: return
            case .fail(let error): throw error
            case .wait(let end): await pause(until: end)
            case .connect:
                do {
                    return try await converse()
                } catch {
                    lost(try ClientConnector.problem(error, at: configuration.address))
                }
            }
        }
    }

    /// Until the next wake or that time, or the task is cancelled.
    private func pause(until end: ContinuousClock.Instant?) async {
        guard let end else { return await signal.wait() }
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await self.signal.wait() }
            // Ends early when it is cancelled.
            group.addTask { try? await Task.sleep(until: end, clock: .continuous) }
            await group.next()
            group.cancelAll()
        }
    }

    private func lost(_ error: MillraceClientError) {
        let (told, isWanted) = state.withLock { state in
            let notices = state.machine.connectionLost(error, at: .now, chance: .random(in: 0..<1))
            return (state.resumptions(notices), state.machine.buffer.count > 0)
        }
        tell(told)
        // What ends the client is thrown.
        guard error.isRetryable else { return }
        logger.log(
            level: isWanted ? .warning : .debug, "connection to millrace lost",
            metadata: ["address": "\(configuration.address)", "error": "\(error)"])
    }

    /// One connection, to its end. Returns when the client is shut down and all is answered; throws otherwise.
    private func converse() async throws {
        let channel = try await connector.connect(by: state.withLock { $0.machine.deadline })
        try await channel.executeThenClose { inbound, outbound in
            state.withLock { $0.machine.connected(at: .now) }
            try await outbound.write(connector.greeting)
            try await withThrowingTaskGroup(of: Bool.self) { group in
                group.addTask { try await self.readAnswers(inbound) }
                group.addTask { await self.writeLines(outbound) }
                group.addTask { try await self.watchDeadlines() }
                // Of a connection that fails, the reader knows why.
                while let isFinished = try await group.next(), !isFinished {}
                group.cancelAll()
            }
        }
    }

    private func readAnswers(_ inbound: NIOAsyncChannelInboundStream<ByteBuffer>) async throws -> Bool {
        var lines = AnswerLines()
        for try await received in inbound {
            lines.append(received.readableBytesView)
            var isGreeted = false
            while let line = lines.next() {
                let message = ServerMessage(line: line)
                isGreeted = isGreeted || message?.hello != nil
                tell(
                    try state.withLock { state in
                        let notices = try state.machine.received(message, at: .now)
                        return state.resumptions(notices)
                    })
            }
            if lines.isOverfull { _ = try state.withLock { try $0.machine.received(nil, at: .now) } }
            if isGreeted {
                logger.info("connected to millrace", metadata: ["address": "\(configuration.address)"])
            }
            signal.wake()
        }
        throw MillraceClientError(
            .connectionFailed, "the daemon closed the connection", hint: "See its log for the reason",
            isRetryable: true)
    }

    /// Returns true when there is nothing more to come; false when the connection takes nothing any more.
    private func writeLines(_ outbound: NIOAsyncChannelOutboundWriter<ByteBuffer>) async -> Bool {
        while !Task.isCancelled {
            let (bytes, isFinished) = state.withLock { state in
                (state.machine.takeUnsent(upTo: Self.writeBytesMax, at: .now), state.machine.isFinished)
            }
            if isFinished { return true }
            guard !bytes.isEmpty else {
                await signal.wait()
                continue
            }
            do {
                try await outbound.write(ByteBuffer(bytes: bytes))
            } catch {
                return false
            }
        }
        return false
    }

    private func watchDeadlines() async throws -> Bool {
        while true {
            let deadline = state.withLock { $0.machine.deadline } ?? .now + Self.tick
            try await Task.sleep(until: min(deadline, .now + Self.tick), clock: .continuous)
            try state.withLock { try $0.machine.checkDeadline(at: .now) }
        }
    }

    private func tell(_ told: (resumptions: [Waiters.Resumption], others: [DeliveryNotice])) {
        for resume in told.resumptions { resume() }
        for notice in told.others {
            switch notice {
            case .refused(let refusal): configuration.onRefused?(refusal)
            case .limited(let message): logger.notice("millrace limits the rate", metadata: ["message": "\(message)"])
            default: break
            }
        }
    }
}
