internal import ArgumentParser
internal import MillraceConsole

/// `millrace mcp`: the read API for assistants, by the Model Context Protocol over standard input and output.
struct MCPCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "mcp",
        abstract: "Let an assistant read: the read API by the Model Context Protocol, on standard input and output.",
        discussion: """
            An assistant starts this command and speaks with it, a message a line. Its tools list packs, read counts, tops, \
            uniques, funnels, retention, sessions, paths, entities and events, and tell whether all is well. They ask the daemon \
            over HTTP and change nothing; give it a key whose only scope is read. It ends when its input does.

            Standard output has nothing but messages; what else there is to say goes to standard error. The key is in neither.

            Example:
              millrace mcp --to 127.0.0.1:8080 --key-file ~/.millrace-read-key
              millrace mcp --to millrace.example:8080 --tls --ca ca.crt --key-file ~/.millrace-read-key
            """
    )

    @OptionGroup var options: ConfigurationOptions

    @OptionGroup var connection: ConnectionOptions

    @Option(help: "Where the daemon listens: host:port or unix:/path. Default: the first of http.listen.")
    var to: Endpoint?

    @Option(help: "KiB of an answer at most; a longer one is cut, and says so.")
    var outputKib: Int = 64

    @Option(help: "Seconds that the daemon may take for an answer.")
    var timeout: Int = 30

    func validate() throws {
        guard (1...16_384).contains(outputKib) else { throw ValidationError("--output-kib is 1 to 16384.") }
        guard (1...3600).contains(timeout) else { throw ValidationError("--timeout is 1 to 3600 seconds.") }
    }

    func run() throws {
        let destination = try connection.destination(to, or: options.context().httpListener())
        let server = MCPServer(
            caller: MCPCaller(
                destination: destination, timeout: .seconds(timeout), outputBytesMax: outputKib * 1024))
        try server.run()
    }
}
