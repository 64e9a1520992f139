internal import FoundationEssentials

/// One line from the daemon on a connection that asked for acks.
struct ServerMessage: Decodable, Equatable {
    struct Hello: Decodable, Equatable {
        var server: String
        var version: String?
    }

    struct Failure: Decodable, Equatable {
        var code: String
        var message: String
    }

    var hello: Hello?
    /// The first `ack` lines of this connection are settled.
    var ack: Int?
    /// Counts from 1, the greeting not counted.
    var line: Int?
    var error: Failure?

    /// nil when the line is no such object.
    init?(line bytes: some Collection<UInt8>) {
        guard let message = try? JSONDecoder().decode(ServerMessage.self, from: Data(bytes)) else { return nil }
        self = message
    }

    init(hello: Hello? = nil, ack: Int? = nil, line: Int? = nil, error: Failure? = nil) {
        self.hello = hello
        self.ack = ack
        self.line = line
        self.error = error
    }
}
