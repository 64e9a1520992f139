internal import MillraceConsole

/// One connection to the daemon: its socket, what the socket did not take yet, and what came of an answer.
final class LoadConnection {
    private static let connectTimeout = Duration.seconds(5)

    let socket: ClientSocket
    private var reader: AnswerReader
    /// Bytes offered and not taken.
    private var pending: [UInt8] = []
    private var pendingHead = 0
    /// Lines of which the daemon has said that they are answered.
    var acknowledged = 0
    var isGreeted = false
    /// Nothing is sent before: the daemon asked for a pause.
    var pausedUntil: Int64 = 0

    init(_ destination: Destination, plan: LoadPlan) throws(CommandError) {
        socket = try ClientSocket(connectingTo: destination, timeout: Self.connectTimeout)
        reader = AnswerReader(plan)
    }

    var isBlocked: Bool { pendingHead < pending.count }

    /// Offers `bytes`; keeps what the socket does not take.
    func send(_ bytes: UnsafeRawBufferPointer) throws(CommandError) {
        precondition(!isBlocked, "nothing is sent before what was offered earlier is gone")
        let count = try socket.write(bytes).get()
        guard count < bytes.count else { return }
        pending.removeAll(keepingCapacity: true)
        pending += UnsafeRawBufferPointer(rebasing: bytes[count...])
        pendingHead = 0
        // What freed room meanwhile would not be told again.
        try flush()
    }

    func flush() throws(CommandError) {
        while isBlocked {
            let result = pending.withUnsafeBytes { socket.write(UnsafeRawBufferPointer(rebasing: $0[pendingHead...])) }
            let count = try result.get()
            guard count > 0 else { return }
            pendingHead += count
        }
    }

    /// Reads until the socket has nothing more; false when the daemon ended the connection. `untilEnd`: the end was
    /// reported with what is to be read, and will not be again.
    func receive(
        into buffer: UnsafeMutableRawBufferPointer, untilEnd: Bool, _ body: (LoadAnswer) -> Void
    ) throws(CommandError) -> Bool {
        while true {
            switch try socket.read(into: buffer).get() {
            case .ended: return false
            case .wouldBlock: return true
            case .bytes(let count):
                reader.read(UnsafeRawBufferPointer(rebasing: buffer[..<count]), body)
                // More would have filled the buffer, or will be told.
                if socket.isDrained(by: count, room: buffer.count), !untilEnd { return true }
            }
        }
    }
}
