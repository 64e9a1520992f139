internal import Hummingbird
internal import NIOCore

/// What the routes know of a request's connection.
struct APIContext: RequestContext {
    var coreContext: CoreRequestContextStorage
    /// The connection came in over loopback or a Unix socket.
    let isLocal: Bool
    let isUnixSocket: Bool

    init(source: ApplicationRequestContextSource) {
        coreContext = .init(source: source)
        let address = source.channel.localAddress
        isUnixSocket = address?.pathname != nil && address?.ipAddress == nil
        isLocal = isUnixSocket || address?.ipAddress.map { $0 == "::1" || $0.hasPrefix("127.") } ?? false
    }
}
