internal import Glibc
internal import Logging
internal import NIOCore
internal import NIOExtras
internal import NIOPosix

/// The listening sockets of one intake, and their orderly end.
struct Listeners {
    /// One open socket: the address as bound (port 0 replaced), and how to stop its connections.
    struct Listener {
        var address: ListenAddress
        var channel: any Channel
        var quiescing: ServerQuiescingHelper
    }

    private(set) var open: [Listener] = []
    private let group: any EventLoopGroup
    private let configuration: IntakeConfiguration
    private let limit: AcceptLimit
    private let log: RefusalLog

    /// `limit`: of open sockets of all listeners together, in whatever state.
    init(group: any EventLoopGroup, configuration: IntakeConfiguration, limit: AcceptLimit, logger: Logger) {
        self.group = group
        self.configuration = configuration
        self.limit = limit
        log = RefusalLog(
            "connections wait to be accepted",
            hint: "compare LimitNOFILE (ulimit -n) and tcp.connections_max, http.connections_max by `millrace check`",
            interval: .seconds(60), logger: logger)
    }

    /// Binds one address; `setUp` adds the handlers of an accepted connection, once its TLS handshake is done where `tls` is
    /// given; Unix sockets stay plain. Throws `IntakeError.cannotListen`.
    mutating func bind(
        _ address: ListenAddress, backlog: Int, tls: TLSDoor?, setUp: @escaping TLSDoorHandler.SetUp
    ) async throws {
        let tls = address.isUnix ? nil : tls
        let quiescing = ServerQuiescingHelper(group: group)
        let (limit, log) = (limit, log)
        var bootstrap = ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: Int32(clamping: backlog))
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .serverChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(AcceptHandler(limit: limit, log: log))
                    try channel.pipeline.syncOperations.addHandler(
                        quiescing.makeServerChannelHandler(channel: channel))
                }
            }
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: address.isUnix ? 0 : 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    guard let tls else { return try setUp(channel, nil) }
                    try channel.pipeline.syncOperations.addHandler(TLSDoorHandler(tls, setUp: setUp))
                }
            }
        if !address.isUnix {
            for (option, value) in configuration.socketOptions {
                bootstrap = bootstrap.childChannelOption(option, value: value)
            }
        }
        do {
            let channel: any Channel
            var bound = address
            switch address {
            case .tcp(let host, let port):
                channel = try await bootstrap.bind(host: host, port: port).get()
                bound = .tcp(host: host, port: channel.localAddress?.port ?? port)
            case .unix(let path):
                channel = try await bootstrap.bind(unixDomainSocketPath: path, cleanupExistingSocketFile: true).get()
                guard chmod(path, configuration.unixModeBits) == 0 else {
                    throw IOError(errnoCode: errno, reason: "chmod")
                }
            case .inherited(let descriptor):
                channel = try await bootstrap.withBoundSocket(descriptor).get()
            }
            open.append(Listener(address: bound, channel: channel, quiescing: quiescing))
        } catch {
            throw IntakeError.cannotListen(address, cause: "\(error)")
        }
    }

    /// Stops accepting, asks every connection to end, and waits until all have.
    func close() async {
        let ends = open.map { listener in
            let promise = listener.channel.eventLoop.makePromise(of: Void.self)
            listener.quiescing.initiateShutdown(promise: promise)
            return promise.futureResult
        }
        for end in ends { try? await end.get() }
        for case .unix(let path) in open.map(\.address) { unlink(path) }
    }
}

extension ListenAddress {
    /// Also of a socket that was opened by systemd.
    var isUnix: Bool {
        switch self {
        case .unix: return true
        case .tcp: return false
        case .inherited(let descriptor):
            var domain: Int32 = 0
            var length = socklen_t(MemoryLayout<Int32>.size)
            return getsockopt(descriptor, SOL_SOCKET, SO_DOMAIN, &domain, &length) == 0 && domain == AF_UNIX
        }
    }
}

/// Why an intake can't start.
package enum IntakeError: Error, Sendable, CustomStringConvertible {
    case cannotListen(ListenAddress, cause: String)

    package var description: String {
        switch self {
        case .cannotListen(let address, let cause): "can't listen on \(address): \(cause)"
        }
    }

    /// The operator's next step.
    package var hint: String {
        switch self {
        case .cannotListen: "free the address (is another millrace running?), or change the listen setting"
        }
    }
}
