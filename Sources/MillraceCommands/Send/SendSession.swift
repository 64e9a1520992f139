internal import Glibc
internal import MillraceChannels
internal import MillraceClient
internal import MillraceConsole
internal import MillraceEvent

/// Carries lines from an input to a daemon: the shell around `SendStateMachine`.
///
/// One thread, one `poll` on both sides: it reads lines while the window has room, writes while the socket takes bytes,
/// and takes answers as they come. Blocks until every line is answered or there is no hope; a stop of the daemon is
/// waited out, up to the limit given to the state machine.
struct SendSession<Source: LineSource & ~Copyable>: ~Copyable {
    private static var connectTimeout: Duration { .seconds(5) }
    /// A daemon greets at once; what does not is something else, or hangs.
    private static var greetingTimeout: Duration { .seconds(10) }
    /// How often progress is reported while nothing happens.
    private static var tick: Duration { .milliseconds(200) }
    /// An answer line is short; a longer one is not Millrace's.
    private static var answerBytesMax: Int { 64 * 1024 }

    private let destination: Destination
    private let acknowledgement: Submission.Acknowledgement
    private var reader: Source
    private(set) var machine: SendStateMachine
    /// What is read of an answer that has not ended.
    private var answer: [UInt8] = []
    private var outgoing: [UInt8] = []
    private var mayHaveLines = true
    /// Why the input ended before its end; told once what was read of it is answered.
    private var inputFailure: CommandError?

    init(
        destination: Destination, acknowledgement: Submission.Acknowledgement, reader: consuming Source,
        machine: SendStateMachine
    ) {
        self.destination = destination
        self.acknowledgement = acknowledgement
        self.reader = reader
        self.machine = machine
    }

    /// Calls `progress` a few times a second. Throws when it gives up; `machine` tells how far it came.
    mutating func run(_ progress: (SendProgress) -> Void) throws(CommandError) {
        while !machine.isDone {
            do throws(CommandError) {
                try converse(progress)
            } catch {
                guard error.isRetryable else { throw error }
                switch machine.connectionLost(error, at: .now) {
                case .giveUp(let reason): throw reason
                case .connect(let wait): pause(wait, error, progress)
                }
            }
        }
        progress(snapshot())
        if let inputFailure { throw inputFailure }
    }

    /// One connection, from the greeting until every line is answered. Throws when it ends before.
    private mutating func converse(_ progress: (SendProgress) -> Void) throws(CommandError) {
        let socket = try ClientSocket(connectingTo: destination, timeout: Self.connectTimeout)
        machine.connected()
        answer = []
        outgoing = destination.greeting(acks: acknowledgement.rawValue)
        let greetingDeadline = ContinuousClock.now + Self.greetingTimeout
        while !machine.isDone {
            fillWindow()
            let ready = Self.wait(
                socket: socket.descriptor, isWriting: !outgoing.isEmpty || machine.hasBytesToSend,
                input: machine.wantsLines && !mayHaveLines ? reader.descriptor : -1)
            if ready.isReadable { try readAnswers(socket) }
            if ready.isWritable { try write(socket) }
            if ready.hasInput { readInput() }
            if machine.isAwaitingGreeting, ContinuousClock.now >= greetingDeadline {
                throw CommandError(
                    "\(destination) did not answer the greeting in time",
                    hint: "Check --to, and whether the daemon is well",
                    isRetryable: true)
            }
            progress(snapshot())
        }
    }

    private mutating func fillWindow() {
        while machine.wantsLines, mayHaveLines {
            do throws(CommandError) {
                switch try reader.next() {
                case .line(let line, let number): machine.lineRead(line, number: number)
                case .tooLong(let number):
                    machine.lineRefusedHere(
                        .init(
                            lineNumber: number, code: RefusalCode.lineTooLong.rawValue,
                            message: "longer than the \(LineReader.lineBytesMax) bytes that a daemon can be set to take"
                        ))
                case .needsInput: mayHaveLines = false
                case .ended: machine.inputEnded()
                }
            } catch {
                inputFailure = error
                machine.inputEnded()
            }
        }
    }

    private mutating func readInput() {
        do throws(CommandError) {
            try reader.read()
            mayHaveLines = true
        } catch {
            inputFailure = error
            machine.inputEnded()
        }
    }

    private mutating func write(_ socket: borrowing ClientSocket) throws(CommandError) {
        if !outgoing.isEmpty {
            outgoing.removeFirst(try outgoing.withUnsafeBytes { socket.write($0) }.get())
        } else if machine.hasBytesToSend {
            var result = Result<Int, CommandError>.success(0)
            machine.sendUnsent { bytes in
                result = socket.write(bytes)
                return if case .success(let count) = result { count } else { 0 }
            }
            _ = try result.get()
        }
    }

    private mutating func readAnswers(_ socket: borrowing ClientSocket) throws(CommandError) {
        let start = answer.count
        answer.append(contentsOf: repeatElement(0, count: Self.answerBytesMax))
        let result = try answer.withUnsafeMutableBytes { bytes in
            socket.read(into: UnsafeMutableRawBufferPointer(rebasing: bytes[start...]))
        }.get()
        guard case .bytes(let count) = result else {
            answer.removeLast(Self.answerBytesMax)
            guard result == .ended else { return }
            throw CommandError(
                "the daemon closed the connection", hint: "See its log for the reason", isRetryable: true)
        }
        answer.removeLast(Self.answerBytesMax - count)
        defer { tellSource() }
        var head = 0
        while let ending = answer[head...].firstIndex(of: UInt8(ascii: "\n")) {
            try machine.received(ServerMessage(line: answer[head..<ending]), at: .now)
            head = ending + 1
        }
        answer.removeFirst(head)
        if answer.count > Self.answerBytesMax { try machine.received(nil, at: .now) }
    }

    private mutating func tellSource() {
        let settled = machine.takeSettled()
        if settled.count > 0 { reader.answered(settled) }
    }

    private func pause(_ wait: Duration, _ reason: CommandError, _ progress: (SendProgress) -> Void) {
        let end = ContinuousClock.now + wait
        while ContinuousClock.now < end {
            progress(snapshot(trouble: reason))
            poll(nil, 0, min(Self.tick, end - .now).milliseconds)
        }
    }

    private func snapshot(trouble: CommandError? = nil) -> SendProgress {
        SendProgress(
            accepted: machine.acceptedCount, refused: machine.refusedCount, readBytes: reader.readBytes,
            totalBytes: reader.totalBytes, unsettled: machine.window.count, trouble: trouble?.message)
    }

    private static func wait(
        socket: Int32, isWriting: Bool, input: Int32
    ) -> (isReadable: Bool, isWritable: Bool, hasInput: Bool) {
        var entries = [
            pollfd(fd: socket, events: Int16(isWriting ? POLLIN | POLLOUT : POLLIN), revents: 0),
            pollfd(fd: input, events: Int16(POLLIN), revents: 0),
        ]
        guard poll(&entries, 2, tick.milliseconds) > 0 else { return (false, false, false) }
        let ready = Int32(entries[0].revents)
        return (ready & ~POLLOUT != 0, ready & POLLOUT != 0, entries[1].revents != 0)
    }
}

/// What `SendSession` takes its lines from.
protocol LineSource: ~Copyable {
    /// To `poll` when `next` needs input.
    var descriptor: Int32 { get }
    /// The input's size in bytes, before decompression; nil when that is not known.
    var totalBytes: Int? { get }
    /// Bytes read of the input, before decompression.
    var readBytes: Int { get }

    mutating func read() throws(CommandError)
    mutating func next() throws(CommandError) -> LineReader.Next
    /// The daemon has answered the next lines.
    mutating func answered(_ settled: SendStateMachine.Settled)
}

extension LineReader: LineSource {
    mutating func answered(_ settled: SendStateMachine.Settled) {}
}
