import MillraceIntake
import NIOCore
import NIOPosix
import NIOSSL

/// A raw client on a real socket.
final class TestClient {
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

    let channel: any Channel
    private var iterator: AsyncStream<[UInt8]>.Iterator
    /// Everything received so far that was not taken.
    private(set) var received: [UInt8] = []

    /// `isPlain`: in plain text also where the test speaks TLS.
    init(_ address: ListenAddress, isPlain: Bool = false) async throws {
        let (stream, continuation) = AsyncStream<[UInt8]>.makeStream()
        let tls = isPlain ? nil : TestTLS.current
        let bootstrap = ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelOption(.allowRemoteHalfClosure, value: true)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    if let tls {
                        try channel.pipeline.syncOperations.addHandler(
                            NIOSSLClientHandler(context: tls.context, serverHostname: "localhost"))
                    }
                    try channel.pipeline.syncOperations.addHandler(Collector(continuation))
                }
            }
        channel =
            switch address {
            case .tcp(let host, let port): try await bootstrap.connect(host: host, port: port).get()
            case .unix(let path): try await bootstrap.connect(unixDomainSocketPath: path).get()
            case .inherited: preconditionFailure("clients connect to addresses")
            }
        iterator = stream.makeAsyncIterator()
    }

    func send(_ text: String) async throws {
        try await channel.writeAndFlush(ByteBuffer(string: text)).get()
    }

    func send(_ bytes: [UInt8]) async throws {
        try await channel.writeAndFlush(ByteBuffer(bytes: bytes)).get()
    }

    func halfClose() async throws { try await channel.close(mode: .output).get() }

    func close() async { try? await channel.close().get() }

    /// Waits for one line and takes it; nil when the server closed before.
    func line() async -> String? {
        while true {
            if let end = received.firstIndex(of: 0x0A) {
                defer { received.removeSubrange(...end) }
                return String(decoding: received[..<end], as: UTF8.self)
            }
            guard let more = await iterator.next() else { return nil }
            received += more
        }
    }

    /// Waits for `count` bytes; nil when the server closed before.
    func bytes(_ count: Int) async -> [UInt8]? {
        while received.count < count {
            guard let more = await iterator.next() else { return nil }
            received += more
        }
        defer { received.removeFirst(count) }
        return Array(received.prefix(count))
    }

    /// Everything until the server closes.
    func rest() async -> String {
        while let more = await iterator.next() { received += more }
        defer { received = [] }
        return String(decoding: received, as: UTF8.self)
    }
}

/// An HTTP response as read by `TestClient.response`.
struct TestResponse {
    var status: Int
    var headers: [String: String]
    var body: String
}

extension TestClient {
    /// Reads one response with a Content-Length; nil when the server closed before.
    func response() async -> TestResponse? {
        guard let statusLine = await line() else { return nil }
        var headers: [String: String] = [:]
        while let header = await line()?.trimmingReturn, !header.isEmpty {
            let parts = header.split(separator: ":", maxSplits: 1)
            headers[parts[0].lowercased()] = parts[1].drop { $0 == " " }.description
        }
        let status = Int(statusLine.split(separator: " ")[1]) ?? 0
        guard status >= 200 else { return TestResponse(status: status, headers: headers, body: "") }
        let body = await bytes(headers["content-length"].flatMap { Int($0) } ?? 0) ?? []
        return TestResponse(status: status, headers: headers, body: String(decoding: body, as: UTF8.self))
    }

    /// Posts a body to `/v1/events` and reads the answer.
    func post(
        _ body: [UInt8], to path: String = "/v1/events", _ headers: String...
    ) async throws -> TestResponse? {
        let lines = (headers + ["Host: test", "Content-Length: \(body.count)"]).joined(separator: "\r\n")
        try await send(Array("POST \(path) HTTP/1.1\r\n\(lines)\r\n\r\n".utf8) + body)
        return await response()
    }
}

extension String {
    fileprivate var trimmingReturn: String { hasSuffix("\r") || hasSuffix("\r\n") ? String(dropLast()) : self }
}
