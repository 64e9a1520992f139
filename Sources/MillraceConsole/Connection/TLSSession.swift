internal import Glibc
internal import NIOCore
internal import NIOEmbedded
internal import NIOSSL
internal import NIOTLS

/// TLS on a connected, non-blocking socket, for the thread that made it. NIOSSL's handler stands in a channel that has no
/// socket: what it wants to send is sent here, and it is given what was received.
final class TLSSession {
    /// Read at a time at least beyond one record, whose rest may be held back from the read before.
    private static let recordBytesMax = 17 << 10
    /// Encrypted at a time.
    private static let writeBytesMax = 64 << 10

    private let descriptor: Int32
    private let destination: Destination
    private let channel = EmbeddedChannel()
    private let events = TLSEvents()
    /// Encrypted, and not yet taken by the socket.
    private var unsent = ByteBuffer()
    /// Bytes in `unsent` that the caller was not told are written.
    private var owed = 0

    /// Shakes hands; blocks up to `timeout`. The descriptor stays the caller's.
    init(descriptor: Int32, _ tls: ClientTLS, to destination: Destination, timeout: Duration) throws(CommandError) {
        self.descriptor = descriptor
        self.destination = destination
        let deadline = ContinuousClock.now + timeout
        do {
            channel.allowRemoteHalfClosure = true
            let pipeline = channel.pipeline.syncOperations
            try pipeline.addHandler(Self.handler(tls, destination.endpoint))
            try pipeline.addHandler(events)
            channel.connect(to: try Self.peer(of: descriptor), promise: nil)
        } catch {
            throw CommandError("TLS could not be set up: \(error)", hint: "Check the address")
        }
        try shakeHands(by: deadline)
    }

    private static func handler(_ tls: ClientTLS, _ endpoint: Endpoint) throws -> NIOSSLClientHandler {
        var name: String?
        if case .tcp(let host, _) = endpoint, (try? SocketAddress(ipAddress: host, port: 0)) == nil { name = host }
        guard let expected = tls.expected else {
            return try NIOSSLClientHandler(context: tls.context, serverHostname: name)
        }
        return try NIOSSLClientHandler(context: tls.context, serverHostname: name) { certificates, verdict in
            verdict.succeed(certificates.first == expected ? .certificateVerified : .failed)
        }
    }

    private func shakeHands(by deadline: ContinuousClock.Instant) throws(CommandError) {
        var bytes = [UInt8](repeating: 0, count: Self.recordBytesMax)
        while !events.isShaken {
            _ = try flush().get()
            if let error = events.error { throw TLSProblem(error).commandError(destination) }
            var entry = pollfd(
                fd: descriptor, events: Int16(unsent.readableBytes > 0 ? POLLIN | POLLOUT : POLLIN), revents: 0)
            guard poll(&entry, 1, (deadline - .now).milliseconds) > 0 else {
                throw TLSProblem.silence.commandError(destination)
            }
            switch try bytes.withUnsafeMutableBytes({ receive(into: $0) }).get() {
            case .wouldBlock: continue
            case .ended: throw TLSProblem.ended.commandError(destination)
            case .bytes(let count): decrypt(bytes[..<count])
            }
        }
        _ = try flush().get()
    }

    // MARK: Reading and writing

    /// As `ClientSocket.read`. `buffer` has room for more than a record.
    func read(into buffer: UnsafeMutableRawBufferPointer) -> Result<ClientSocket.ReadResult, CommandError> {
        precondition(buffer.count > Self.recordBytesMax, "a read has room for a record")
        while true {
            let taken = take(into: buffer)
            if taken > 0 { return .success(.bytes(taken)) }
            if let error = events.error { return .failure(TLSProblem(error).commandError(destination)) }
            if events.hasEnded { return .success(.ended) }
            let received = UnsafeMutableRawBufferPointer(rebasing: buffer[..<(buffer.count - Self.recordBytesMax)])
            switch receive(into: received) {
            case .success(.bytes(let count)):
                decrypt(UnsafeRawBufferPointer(rebasing: received[..<count]))
                // An answer of the handler, such as to new keys.
                if case .failure(let error) = flush() { return .failure(error) }
            case let other: return other
            }
        }
    }

    /// As `ClientSocket.write`: what it answers 0 to, or took in part, is to be offered again, the same bytes first.
    func write(_ bytes: UnsafeRawBufferPointer) -> Result<Int, CommandError> {
        if owed == 0 {
            let taken = UnsafeRawBufferPointer(rebasing: bytes.prefix(Self.writeBytesMax))
            owed = taken.count
            channel.writeAndFlush(ByteBuffer(bytes: taken), promise: nil)
        }
        return flush().map { isSent in
            guard isSent else { return 0 }
            defer { owed = 0 }
            return owed
        }
    }

    /// Tells the daemon that nothing more comes, as far as the socket takes it.
    func end() {
        channel.close(promise: nil)
        _ = flush()
        // What the handler would wait for: it holds itself until then.
        channel.embeddedEventLoop.advanceTime(by: .seconds(10))
    }

    private func receive(
        into buffer: UnsafeMutableRawBufferPointer
    ) -> Result<ClientSocket.ReadResult, CommandError> {
        ClientSocket.receive(descriptor, into: buffer)
    }

    private func decrypt(_ bytes: some Sequence<UInt8>) {
        // What goes wrong comes to `events`.
        _ = try? channel.writeInbound(ByteBuffer(bytes: bytes))
        // A verdict about the certificate comes by the loop.
        channel.embeddedEventLoop.run()
    }

    private func take(into buffer: UnsafeMutableRawBufferPointer) -> Int {
        var count = 0
        while let plain = try? channel.readInbound(as: ByteBuffer.self) {
            plain.withUnsafeReadableBytes {
                UnsafeMutableRawBufferPointer(rebasing: buffer[count...]).copyMemory(from: $0)
                count += $0.count
            }
        }
        return count
    }

    /// Sends what is encrypted; true when the socket took all of it.
    private func flush() -> Result<Bool, CommandError> {
        while var more = try? channel.readOutbound(as: ByteBuffer.self) { unsent.writeBuffer(&more) }
        while unsent.readableBytes > 0 {
            switch unsent.withUnsafeReadableBytes({ ClientSocket.transmit(descriptor, $0) }) {
            case .success(0): return .success(false)
            case .success(let count): unsent.moveReaderIndex(forwardBy: count)
            case .failure(let error): return .failure(error)
            }
        }
        unsent.clear(minimumCapacity: 0)
        return .success(true)
    }

    private static func peer(of descriptor: Int32) throws -> SocketAddress {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        var host = [CChar](repeating: 0, count: Int(NI_MAXHOST))
        let isKnown = withUnsafeMutableBytes(of: &storage) { bytes in
            guard let address = bytes.baseAddress?.assumingMemoryBound(to: sockaddr.self),
                getpeername(descriptor, address, &length) == 0
            else { return false }
            return getnameinfo(address, length, &host, socklen_t(host.count), nil, 0, NI_NUMERICHOST) == 0
        }
        guard isKnown else { throw IOError(errnoCode: errno, reason: "getpeername") }
        let text = String(decoding: host.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        // Without the zone of a link-local address, which no certificate names.
        return try SocketAddress(ipAddress: String(text.prefix { $0 != "%" }), port: 0)
    }
}

/// What NIOSSL's handler tells.
private final class TLSEvents: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private(set) var isShaken = false
    private(set) var hasEnded = false
    /// The first one.
    private(set) var error: (any Error)?

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch event {
        case TLSUserEvent.handshakeCompleted: isShaken = true
        case ChannelEvent.inputClosed: hasEnded = true
        default: break
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        hasEnded = true
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        self.error = self.error ?? error
    }
}
