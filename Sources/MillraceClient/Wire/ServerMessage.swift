internal import FoundationEssentials

/// One line from the daemon on a connection that asked for acks.
package struct ServerMessage: Decodable, Equatable {
    package struct Hello: Decodable, Equatable {
        package var server: String
        package var version: String?
        /// Of the key that was shown; nil: 0.
        package var tenant: Int32?
    }

    package struct Failure: Decodable, Equatable {
        package var code: String
        package var message: String
    }

    /// Why a line that was accepted is not, or not only, in the tables.
    package struct Report: Decodable, Equatable {
        /// Of a parked line.
        package var pack: String?
        package var fold: String?
        package var code: String
        package var constraint: String?
        package var sqlstate: String?
        package var message: String
    }

    /// How many lines of a stretch are parked or dead, where not each is reported.
    package struct Stretch: Decodable, Equatable {
        package var first: Int
        package var last: Int
    }

    private enum CodingKeys: String, CodingKey {
        case hello, ack, line, error, parked, lines, limited
        case deadLetter = "dead_letter"
        case parkedTotal = "parked_total"
        case deadLettersTotal = "dead_letters_total"
    }

    package var hello: Hello?
    /// The first `ack` lines of this connection are answered.
    package var ack: Int?
    /// Counts from 1, the greeting not counted.
    package var line: Int?
    package var error: Failure?
    /// The line is stored, and a projection lacks it.
    package var parked: Report?
    /// The line is in `dead_letters`.
    package var deadLetter: Report?
    package var lines: Stretch?
    /// The connection is read no faster than its rate allows; nothing is lost.
    package var limited: Failure?
    package var parkedTotal: Int?
    package var deadLettersTotal: Int?

    /// No connection carries more lines: sums of such counts stay whole numbers, whatever a stranger says.
    private static let countMax = 1 << 40

    /// nil when the line is no such object, or counts what can't be.
    package init?(line bytes: some Collection<UInt8>) {
        guard let message = try? JSONDecoder().decode(ServerMessage.self, from: Data(bytes)) else { return nil }
        let counts = [
            message.ack, message.line, message.lines?.first, message.lines?.last, message.parkedTotal,
            message.deadLettersTotal,
        ]
        guard counts.allSatisfy({ count in count.map { (0...Self.countMax).contains($0) } ?? true }) else { return nil }
        self = message
    }

    package init(hello: Hello? = nil, ack: Int? = nil, line: Int? = nil, error: Failure? = nil) {
        self.hello = hello
        self.ack = ack
        self.line = line
        self.error = error
    }
}
