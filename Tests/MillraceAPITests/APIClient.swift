import NIOCore
import NIOPosix

/// A raw HTTP client on a real socket.
final class APIClient {
    struct Response: Equatable {
        var status: Int
        var headers: [String: String]
        var body: String
    }

    private final class Collector: ChannelInboundHandler, Sendable {
        typealias InboundIn = ByteBuffer

        let continuation: AsyncStream<[UInt8]>.Continuation

        init(_ continuation: AsyncStream<[UInt8]>.Continuation) {
            self.continuation = continuation
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            continuation.yield(Array(unwrapInboundIn(data).readableBytesView))
        }

        func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
            if event as? ChannelEvent == .inputClosed { continuation.finish() }
        }

        func channelInactive(context: ChannelHandlerContext) { continuation.finish() }
        func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
    }

    private let channel: any Channel
    private var iterator: AsyncStream<[UInt8]>.Iterator
    private var received: [UInt8] = []
    let port: Int

    init(port: Int) async throws {
        self.port = port
        let (stream, continuation) = AsyncStream<[UInt8]>.makeStream()
        channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelOption(.allowRemoteHalfClosure, value: true)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Collector(continuation))
                }
            }
            .connect(host: "127.0.0.1", port: port).get()
        iterator = stream.makeAsyncIterator()
    }

    func send(_ text: String) async throws {
        try await channel.writeAndFlush(ByteBuffer(string: text)).get()
    }

    func halfClose() async throws { try await channel.close(mode: .output).get() }

    func ask(_ request: String) async throws -> Response? {
        try await send(request)
        return await response()
    }

    /// Reads one response; nil when the server closed before.
    func response(isHead: Bool = false) async -> Response? {
        guard let statusLine = await line() else { return nil }
        var headers: [String: String] = [:]
        while let header = await line(), header != "\r", !header.isEmpty {
            let parts = header.split(separator: ":", maxSplits: 1)
            headers[parts[0].lowercased()] = String(parts[1].drop { $0 == " " }.filter { !$0.isNewline })
        }
        let length = isHead ? 0 : headers["content-length"].flatMap { Int($0) } ?? 0
        while received.count < length, let more = await iterator.next() { received += more }
        defer { received.removeFirst(min(length, received.count)) }
        let status = Int(statusLine.split(separator: " ")[1]) ?? 0
        return Response(
            status: status, headers: headers, body: String(decoding: received.prefix(length), as: UTF8.self))
    }

    private func line() async -> String? {
        while true {
            if let end = received.firstIndex(of: 0x0A) {
                defer { received.removeSubrange(...end) }
                return String(decoding: received[..<end], as: UTF8.self)
            }
            guard let more = await iterator.next() else { return nil }
            received += more
        }
    }
}
