internal import Glibc
internal import NIOCore

/// When the kernel gives a TCP connection up whose other side has vanished.
package struct PeerTimeouts: Sendable {
    /// Silence after which the kernel asks whether the other side is there. At least a second.
    package var keepalive = Duration.seconds(60)
    /// Between two such questions. At least a second.
    package var keepaliveInterval = Duration.seconds(15)
    /// How long questions, or bytes that were sent, may stay without an answer; also how long a client may take nothing.
    package var unanswered = Duration.seconds(120)

    package init() {}

    /// What accepted sockets get.
    var options: [(ChannelOptions.Types.SocketOption, SocketOptionValue)] {
        [
            (.socketOption(.so_keepalive), 1),
            (.tcpOption(.init(rawValue: TCP_KEEPIDLE)), seconds(keepalive)),
            (.tcpOption(.init(rawValue: TCP_KEEPINTVL)), seconds(keepaliveInterval)),
            (.tcpOption(.init(rawValue: TCP_USER_TIMEOUT)), SocketOptionValue(unanswered / .milliseconds(1))),
            // So that what waits to be sent waits here, where it is seen, and not in the kernel.
            (.tcpOption(.init(rawValue: TCP_NOTSENT_LOWAT)), SocketOptionValue(Self.unsentBytesMax)),
        ]
    }

    private static let unsentBytesMax = 128 << 10

    private func seconds(_ duration: Duration) -> SocketOptionValue {
        SocketOptionValue(max(1, duration.components.seconds))
    }
}
