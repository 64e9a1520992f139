internal import FoundationEssentials

/// One line from the daemon on a connection that asked for acks.
package struct ServerMessage: Decodable, Equatable {
    package struct Hello: Decodable, Equatable {
        package var server: String
        package var version: String?
    }

    package struct Failure: Decodable, Equatable {
        package var code: String
        package var message: String
    }

    package var hello: Hello?
    /// The first `ack` lines of this connection are answered.
    package var ack: Int?
    /// Counts from 1, the greeting not counted.
    package var line: Int?
    package var error: Failure?

    /// nil when the line is no such object.
    package init?(line bytes: some Collection<UInt8>) {
        guard let message = try? JSONDecoder().decode(ServerMessage.self, from: Data(bytes)) else { return nil }
        self = message
    }

    package init(hello: Hello? = nil, ack: Int? = nil, line: Int? = nil, error: Failure? = nil) {
        self.hello = hello
        self.ack = ack
        self.line = line
        self.error = error
    }
}
