internal import MillraceAccess
internal import NIOCore
internal import NIOHTTP1

/// What the routes answer to a failed authentication, held back until its time has come.
struct HeldAnswer {
    /// Counted among those that wait while it is held.
    let wait: FailedAuthentications.Wait
    let timer: Scheduled<Void>
    var parts: [(part: HTTPServerResponsePart, promise: EventLoopPromise<Void>?)]
    /// How the routes closed the connection meanwhile, as they do after the last answer of one.
    var closes: [(mode: CloseMode, promise: EventLoopPromise<Void>?)] = []
}

extension HTTPConnectionHandler {
    /// True when `part` is of an answer that waits. An answer 401 waits like one that the intake gives itself, from when
    /// its request was read, so that nothing tells why it was refused.
    func hold(_ part: HTTPServerResponsePart, _ promise: EventLoopPromise<Void>?) -> Bool {
        if heldAnswer != nil {
            heldAnswer?.parts.append((part, promise))
            return true
        }
        guard case .head(let head) = part, head.status == .unauthorized, let startedAt = machine.routedAt else {
            return false
        }
        guard let wait = shared.authenticationFailures.failed(from: address, peer: peerName) else {
            promise?.fail(ChannelError.ioOnClosedChannel)
            context?.close(promise: nil)
            return true
        }
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        let timer = eventLoop.scheduleTask(deadline: startedAt + TimeAmount(wait.delay)) {
            bound.value.writeHeldAnswer()
        }
        heldAnswer = HeldAnswer(wait: wait, timer: timer, parts: [(part, promise)])
        return true
    }

    private func writeHeldAnswer() {
        guard let held = heldAnswer, let context else { return }
        heldAnswer = nil
        for (part, promise) in held.parts { write(part, promise, context) }
        flush(context: context)
        for (mode, promise) in held.closes { context.close(mode: mode, promise: promise) }
    }

    /// The connection is gone.
    func dropHeldAnswer() {
        guard let held = heldAnswer else { return }
        heldAnswer = nil
        held.timer.cancel()
        for (_, promise) in held.parts { promise?.fail(ChannelError.ioOnClosedChannel) }
        for (_, promise) in held.closes { promise?.fail(ChannelError.alreadyClosed) }
    }
}
