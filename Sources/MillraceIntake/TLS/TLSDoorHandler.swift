internal import MillraceTelemetry
internal import NIOCore
internal import NIOExtras
internal import NIOSSL
internal import NIOTLS

/// Stands before a connection until its TLS handshake is done, then makes way for the intake's handlers. Until then the
/// connection counts as none of the intake's.
///
/// It looks at the first byte: a client that speaks plain text is told so in plain text. A connection that failed is read
/// on for `intake.linger`: a reset would take from the client what says why.
final class TLSDoorHandler: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer
    /// Adds the intake's handlers to a connection.
    typealias SetUp = @Sendable (any Channel, TLSPeer?) throws -> Void

    private enum State {
        case awaitingFirstByte
        case shaking
        /// Failed; what still comes is thrown away.
        case leaving
    }

    /// The type of a TLS record that a handshake begins with.
    private static let handshakeRecord: UInt8 = 22

    private let shared: TLSDoor
    private let setUp: SetUp
    private var state = State.awaitingFirstByte
    private var timer: Scheduled<Void>?
    private var hasFailed = false
    /// Of the one who asked for the connection's end.
    private var closed: EventLoopPromise<Void>?

    init(_ shared: TLSDoor, setUp: @escaping SetUp) {
        self.shared = shared
        self.setUp = setUp
    }

    // MARK: From the socket

    func channelActive(context: ChannelHandlerContext) {
        after(TimeAmount(shared.certificates.handshakeTimeout), context) { door, context in
            door.fail(.timeout, context)
            context.close(promise: nil)
        }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch state {
        case .awaitingFirstByte:
            guard let first = unwrapInboundIn(data).readableBytesView.first else { return }
            guard first == Self.handshakeRecord else { return refusePlainText(context) }
            do {
                let pipeline = context.pipeline.syncOperations
                try pipeline.addHandler(
                    NIOSSLServerHandler(context: shared.certificates.context), position: .after(self))
                try pipeline.addHandler(TLSHandshakeHandler(self))
            } catch {
                return context.close(promise: nil)
            }
            state = .shaking
            context.fireChannelRead(data)
        case .shaking: context.fireChannelRead(data)
        case .leaving: break
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        if case .shaking = state { context.fireChannelReadComplete() }
    }

    func channelInactive(context: ChannelHandlerContext) {
        if case .awaitingFirstByte = state { fail(.closed, context) }
        timer?.cancel()
        closed?.succeed()
        closed = nil
        context.fireChannelInactive()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch (event, state) {
        case (is ChannelShouldQuiesceEvent, _):
            hasFailed = true
            context.close(promise: nil)
        case (_, .shaking): context.fireUserInboundEventTriggered(event)
        case (ChannelEvent.inputClosed, _): context.close(promise: nil)
        default: break
        }
    }

    private func refusePlainText(_ context: ChannelHandlerContext) {
        fail(.plainText, context)
        context.writeAndFlush(
            wrapOutboundOut(context.channel.allocator.buffer(bytes: shared.plainTextAnswer)), promise: nil)
        leave(context)
    }

    // MARK: From the handshake

    func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        guard case .shaking = state, mode == .all else { return context.close(mode: mode, promise: promise) }
        closed = promise
        leave(context)
    }

    fileprivate func fail(_ failure: TLSFailure, _ context: ChannelHandlerContext) {
        guard !hasFailed else { return }
        hasFailed = true
        shared.failed(failure, peer: context.remoteAddress?.peerName)
    }

    /// `context`: of the handler after NIOSSL's, which leaves with this one.
    fileprivate func handshakeCompleted(_ context: ChannelHandlerContext) {
        timer?.cancel()
        let pipeline = context.pipeline.syncOperations
        do {
            let peer = try TLSPeer(pipeline.nioSSL_peerCertificate())
            pipeline.removeHandler(self, promise: nil)
            try setUp(context.channel, peer)
        } catch {
            fail(.malformed, context)
            return context.close(promise: nil)
        }
        shared.counters.handshakes.add(1)
        context.fireChannelActive()
        pipeline.removeHandler(context: context, promise: nil)
    }

    /// Ends the output, and the connection once the client has ended its own.
    private func leave(_ context: ChannelHandlerContext) {
        state = .leaving
        context.close(mode: .output, promise: nil)
        after(shared.linger, context) { $1.close(promise: nil) }
    }

    private func after(
        _ delay: TimeAmount, _ context: ChannelHandlerContext,
        _ body: @escaping @Sendable (TLSDoorHandler, ChannelHandlerContext) -> Void
    ) {
        timer?.cancel()
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        timer = context.eventLoop.scheduleTask(in: delay) { body(bound.value.0, bound.value.1) }
    }
}

/// Sits after NIOSSL's handler and tells the door what comes of the handshake.
private final class TLSHandshakeHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer

    private let door: TLSDoorHandler

    init(_ door: TLSDoorHandler) {
        self.door = door
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case TLSUserEvent.handshakeCompleted = event { door.handshakeCompleted(context) }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        door.fail(TLSFailure(error), context)
    }
}
