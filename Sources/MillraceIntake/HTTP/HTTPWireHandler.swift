internal import MillraceChannels
internal import NIOCore
internal import NIOHTTP1

/// Sits before the decoder and tells the connection when bytes of a new request begin to arrive, since the decoder
/// shows a request only when its head is whole. Writes answers that are bytes already, and knows what of all answers
/// the socket has not taken. Puts a new decoder in the place of one that has stopped.
final class HTTPWireHandler: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = IOData
    typealias OutboundOut = IOData

    /// Called before the first bytes after `expectHead`.
    var onHeadStarted: () -> Void = {}
    private var isHeadExpected = true
    private var writtenBytes = 0
    private var context: ChannelHandlerContext?
    private let limits: NIOHTTPDecoderLimitConfiguration
    /// What the socket has not taken of answers.
    private let memory: MemoryReservation

    init(limits: NIOHTTPDecoderLimitConfiguration, memory: MemoryBudget) {
        self.limits = limits
        self.memory = MemoryReservation(memory, for: .answers)
    }

    func expectHead() {
        isHeadExpected = true
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
    }

    /// Writes a whole answer past the encoder.
    func write(_ answer: ByteBuffer) {
        writtenBytes += answer.readableBytes
        context?.writeAndFlush(wrapOutboundOut(.byteBuffer(answer)), promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if isHeadExpected {
            isHeadExpected = false
            onHeadStarted()
        }
        context.fireChannelRead(data)
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        writtenBytes += unwrapOutboundIn(data).readableBytes
        context.write(data, promise: promise)
    }

    func flush(context: ChannelHandlerContext) {
        context.flush()
        // Otherwise a timer or the next write looks.
        if memory.bytes == 0, countUnsent() > 0 { whenSent {} }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        countUnsent()
        context.fireChannelWritabilityChanged()
    }

    func channelInactive(context: ChannelHandlerContext) {
        memory.count(0)
        context.fireChannelInactive()
    }

    @discardableResult
    private func countUnsent() -> Int {
        let bytes = unsentBytes
        memory.count(bytes)
        return bytes
    }

    // MARK: What the socket took

    var output: HTTPConnectionStateMachine.Output {
        let unsent = unsentBytes
        return HTTPConnectionStateMachine.Output(sentBytes: writtenBytes - unsent, unsentBytes: unsent)
    }

    private var unsentBytes: Int {
        (try? context?.channel.syncOptions?.getOption(.bufferedWritableBytes)) ?? 0
    }

    /// Calls `body` once the socket has taken all that is written by now; never if the connection ends first.
    func whenSent(_ body: @escaping () -> Void) {
        guard let context else { return }
        let promise = context.eventLoop.makePromise(of: Void.self)
        let bound = NIOLoopBound((self, body), eventLoop: context.eventLoop)
        promise.futureResult.whenSuccess {
            bound.value.0.countUnsent()
            bound.value.1()
        }
        context.writeAndFlush(wrapOutboundOut(.byteBuffer(ByteBuffer())), promise: promise)
    }

    // MARK: The decoder

    func makeDecoder() -> ByteToMessageHandler<HTTPRequestDecoder> {
        ByteToMessageHandler(HTTPRequestDecoder(leftOverBytesStrategy: .forwardBytes, limitConfiguration: limits))
    }

    /// A decoder stops after a request that offers another protocol: a new one takes over what came since. `body` is
    /// called when it has.
    func replaceDecoder(then body: @escaping () -> Void) throws {
        guard let context else { return }
        let pipeline = context.pipeline.syncOperations
        let stopped = try pipeline.handler(type: ByteToMessageHandler<HTTPRequestDecoder>.self)
        try pipeline.addHandler(makeDecoder(), position: .after(stopped))
        let bound = NIOLoopBound(body, eventLoop: context.eventLoop)
        pipeline.removeHandler(stopped).whenComplete { _ in bound.value() }
    }
}
