internal import FoundationEssentials
internal import Glibc
internal import MillraceTelemetry

/// Standard output for reports, standard error for everything else. What a stranger had a hand in can do nothing to a
/// terminal: `TerminalText`.
enum Console {
    static func out(_ text: String) {
        write(TerminalText.lines(text) + "\n", to: STDOUT_FILENO)
    }

    static func error(_ text: String) {
        write(TerminalText.lines(text) + "\n", to: STDERR_FILENO)
    }

    /// Text for standard error without a line ending, as it is.
    static func errorPart(_ text: String) {
        write(text, to: STDERR_FILENO)
    }

    static var isErrorTerminal: Bool { isatty(STDERR_FILENO) == 1 }

    /// One JSON document with sorted keys in snake_case.
    static func json(_ value: some Encodable) throws {
        let encoder = JSONEncoder()
        encoder.keyEncodingStrategy = .convertToSnakeCase
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        out(String(decoding: try encoder.encode(value), as: UTF8.self))
    }

    private static func write(_ text: String, to descriptor: Int32) {
        var bytes = Array(text.utf8)[...]
        while !bytes.isEmpty {
            let count = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            // Nobody reads any more (`millrace status | head`): there is no one to tell.
            guard count > 0 else { return }
            bytes = bytes.dropFirst(count)
        }
    }
}
