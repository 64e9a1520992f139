internal import Logging
import MillraceChannels
internal import MillraceEvent
internal import MillraceIntake
import NIOCore
internal import NIOPosix
internal import Synchronization

/// The TCP intake on a socket of its own, with nobody after it but one who counts the lines of the records.
struct LineIntake: Sendable {
    private let client: any Channel
    private let records: RecordChannel

    /// Runs `body` beside a listening intake with one open connection.
    static func use(_ body: (LineIntake) async throws -> Void) async throws {
        let group = MultiThreadedEventLoopGroup.singleton
        let records = RecordChannel(bytesMax: 64 << 20)
        let (ports, announce) = AsyncStream<[ListenAddress]>.makeStream()
        var configuration = TCPIntakeConfiguration()
        configuration.listen = [.tcp(host: "127.0.0.1", port: 0)]
        let service = TCPIntakeService(
            configuration: configuration, channel: records, metrics: IntakeMetrics(), group: group,
            logger: Logger(label: "parts") { _ in SwiftLogNoOpLogHandler() },
            onListening: { announce.yield($0) })
        try await withThrowingTaskGroup { tasks in
            tasks.addTask { try await service.run() }
            var addresses = ports.makeAsyncIterator()
            guard case .tcp(_, let port)? = await addresses.next()?.first else {
                throw PartsError("the intake does not listen")
            }
            let client = try await ClientBootstrap(group: group).connect(host: "127.0.0.1", port: port).get()
            try await body(LineIntake(client: client, records: records))
            try await client.close()
            tasks.cancelAll()
        }
    }

    /// Sends the lines, and returns when records hold them all.
    func send(_ bytes: [UInt8], count: Int) async throws {
        async let sent: Void = client.writeAndFlush(ByteBuffer(bytes: bytes))
        var received = 0
        while received < count {
            for submission in await records.next() {
                received += submission.count
                submission.reply(.durable(0..<UInt64(submission.count)))
            }
        }
        try await sent
    }
}
