internal import NIOCore

/// Sits before the decoder and tells the connection when bytes of a new request begin to arrive, since the decoder
/// shows a request only when its head is whole.
final class HTTPWireHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    /// Fired through the pipeline before the first bytes after `expectHead`.
    struct HeadStarted {}

    private var isHeadExpected = true

    func expectHead() {
        isHeadExpected = true
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if isHeadExpected {
            isHeadExpected = false
            context.fireUserInboundEventTriggered(HeadStarted())
        }
        context.fireChannelRead(data)
    }
}
