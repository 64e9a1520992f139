internal import NIOCore

/// Sits before the decoder and tells the connection when bytes of a new request begin to arrive, since the decoder
/// shows a request only when its head is whole. Writes answers that are bytes already.
final class HTTPWireHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// Fired through the pipeline before the first bytes after `expectHead`.
    struct HeadStarted {}

    private var isHeadExpected = true
    private var context: ChannelHandlerContext?

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
        context?.writeAndFlush(wrapOutboundOut(answer), promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if isHeadExpected {
            isHeadExpected = false
            context.fireUserInboundEventTriggered(HeadStarted())
        }
        context.fireChannelRead(data)
    }
}
