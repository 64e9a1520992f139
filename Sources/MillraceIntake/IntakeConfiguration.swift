internal import Glibc
internal import NIOCore

/// `[intake]`: the settings that both intakes share.
package struct IntakeConfiguration: Sendable, Equatable {
    /// Event loops.
    package var threads = 2
    /// Permission bits of a Unix socket's file, octal, as `chmod` takes them.
    package var unixMode = "0660"
    /// How long a stop waits for the answers of what was received.
    package var drainLimit = Duration.seconds(5)
    /// How long a refused client may take to read why, before its connection is closed.
    package var linger = Duration.seconds(1)
    /// How long a request, or a half-closed TCP connection, waits for its commit.
    package var committedWait = Duration.seconds(30)
    /// Of each intake: requests, or half-closed TCP connections, that wait for their commit. They don't count as open ones.
    package var committedWaitersMax = 256
    /// Silence of a TCP connection after which the kernel asks whether its other side is there. At least a second.
    package var keepalive = Duration.seconds(60)
    /// Between two such questions. At least a second.
    package var keepaliveInterval = Duration.seconds(15)
    /// How long the kernel's questions, or sent bytes, may go unanswered, or a client may take none of its answer.
    package var peerTimeout = Duration.seconds(120)

    package init() {}

    /// `unixMode` as a number.
    var unixModeBits: mode_t { mode_t(unixMode, radix: 8) ?? 0o660 }

    /// What accepted TCP sockets get, so that the kernel gives up a connection whose other side has vanished.
    var socketOptions: [(ChannelOptions.Types.SocketOption, SocketOptionValue)] {
        [
            (.socketOption(.so_keepalive), 1),
            (.tcpOption(.init(rawValue: TCP_KEEPIDLE)), seconds(keepalive)),
            (.tcpOption(.init(rawValue: TCP_KEEPINTVL)), seconds(keepaliveInterval)),
            (.tcpOption(.init(rawValue: TCP_USER_TIMEOUT)), SocketOptionValue(peerTimeout / .milliseconds(1))),
            // So that unsent bytes wait in the process, which sees them, and not in the kernel.
            (.tcpOption(.init(rawValue: TCP_NOTSENT_LOWAT)), SocketOptionValue(Self.unsentBytesMax)),
        ]
    }

    private static let unsentBytesMax = 128 << 10

    private func seconds(_ duration: Duration) -> SocketOptionValue {
        SocketOptionValue(max(1, duration.components.seconds))
    }
}
