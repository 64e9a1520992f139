internal import Glibc
import NIOCore
import NIOHTTP1
import NIOPosix

/// What a request costs before anything is done with it: reads the body, answers 202 with a short JSON text.
///
/// `bare-server [THREADS]` listens on a free port of 127.0.0.1, prints the port, and runs until it is killed.
@main
enum BareServer {
    static func main() async throws {
        let threads = CommandLine.arguments.dropFirst().first.flatMap(Int.init) ?? 2
        let group = MultiThreadedEventLoopGroup(numberOfThreads: threads)
        let server = try await ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 1024)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let pipeline = channel.pipeline.syncOperations
                    try pipeline.configureHTTPServerPipeline(
                        withPipeliningAssistance: false, withErrorHandling: false, withOutboundHeaderValidation: false)
                    try pipeline.addHandler(AcceptedHandler())
                }
            }
            .bind(host: "127.0.0.1", port: 0)
            .get()
        print(server.localAddress?.port ?? 0)
        fflush(nil)
        try await server.closeFuture.get()
    }
}
