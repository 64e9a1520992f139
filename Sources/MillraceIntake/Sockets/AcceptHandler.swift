internal import Glibc
internal import Logging
internal import MillraceEvent
internal import NIOCore
internal import Synchronization

/// Sits on a listening socket: stops accepting while the intake has all the sockets it may have, and for a while when the
/// system has no file or memory for one. NIO itself would ask again at once, for ever.
final class AcceptHandler: ChannelInboundHandler {
    typealias InboundIn = any Channel
    typealias InboundOut = any Channel

    private static let pauseMin = TimeAmount.milliseconds(100)
    private static let pauseMax = TimeAmount.seconds(1)

    private let limit: AcceptLimit
    private let log: RefusalLog
    private var isFull = false
    private var pauseEnd: NIODeadline?
    private var nextPause = AcceptHandler.pauseMin

    init(limit: AcceptLimit, log: RefusalLog) {
        self.limit = limit
        self.log = log
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        nextPause = Self.pauseMin
        let eventLoop = context.eventLoop
        let bound = NIOLoopBound((self, context), eventLoop: eventLoop)
        let goesOn = limit.entered {
            eventLoop.execute {
                bound.value.0.isFull = false
                bound.value.0.update(bound.value.1)
            }
        }
        let limit = limit
        unwrapInboundIn(data).closeFuture.whenComplete { _ in limit.left() }
        if !goesOn {
            isFull = true
            log.refused("connections_max")
            update(context)
        }
        context.fireChannelRead(data)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard let error = error as? IOError, [EMFILE, ENFILE, ENOBUFS, ENOMEM].contains(error.errnoCode) else {
            context.fireErrorCaught(error)
            return
        }
        log.refused(error.errnoCode == EMFILE || error.errnoCode == ENFILE ? "too_many_open_files" : "no_memory")
        let end = NIODeadline.now() + nextPause
        nextPause = min(Self.pauseMax, nextPause * 2)
        pauseEnd = end
        update(context)
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        context.eventLoop.scheduleTask(deadline: end) {
            if bound.value.0.pauseEnd == end { bound.value.0.pauseEnd = nil }
            bound.value.0.update(bound.value.1)
        }
    }

    /// Starts or stops accepting. A closed listener no longer has the option, so errors are ignored.
    private func update(_ context: ChannelHandlerContext) {
        try? context.channel.syncOptions?.setOption(.autoRead, value: !isFull && pauseEnd == nil)
    }
}

/// Counts every open socket of one intake, including those that wait for a commit or linger after a refusal. At the
/// limit new connections wait in the kernel, so that file descriptors are left for the rest of the daemon.
final class AcceptLimit: Sendable {
    private struct State {
        var max: Int
        var open = 0
        var waiting: [@Sendable () -> Void] = []
    }

    private let state: Mutex<State>

    init(max: Int) {
        state = Mutex(State(max: max))
    }

    /// Sockets that are open beyond it stay.
    func setMax(_ max: Int) {
        change { $0.max = max }
    }

    /// A socket was accepted. Returns false when no further one may be; `onFree` is then called once one has closed.
    func entered(_ onFree: @escaping @Sendable () -> Void) -> Bool {
        state.withLock { state in
            state.open += 1
            guard state.open >= state.max else { return true }
            state.waiting.append(onFree)
            return false
        }
    }

    func left() {
        change { $0.open -= 1 }
    }

    private func change(_ change: (inout State) -> Void) {
        let waiting = state.withLock { state -> [@Sendable () -> Void] in
            change(&state)
            guard state.open < state.max else { return [] }
            defer { state.waiting = [] }
            return state.waiting
        }
        for resume in waiting { resume() }
    }
}
