internal import FoundationEssentials
internal import MillraceChannels

/// The optional first line of a TCP connection: `{"hello":{"acks":"spooled"|"committed","key":"mr_…"}}`.
struct TCPGreeting: Equatable {
    /// What is wrong with a line that was meant as a greeting.
    struct Invalid: Error, Equatable {
        var message: String
    }

    var acks: Submission.Acknowledgement
    var key: String?

    /// Nil when the line is not meant as a greeting.
    static func parse(_ line: UnsafeRawBufferPointer) throws(Invalid) -> TCPGreeting? {
        guard isGreeting(line) else { return nil }
        let fields: [String: String]
        do {
            let text = try JSONDecoder().decode([String: [String: String]].self, from: Data(line))
            guard text.count == 1, let hello = text["hello"] else {
                throw Invalid(message: "nothing may stand beside \"hello\"")
            }
            fields = hello
        } catch let error as Invalid {
            throw error
        } catch {
            throw Invalid(message: "wanted {\"hello\":{\"acks\":\"spooled\"|\"committed\",\"key\":\"mr_…\"}}")
        }
        for name in fields.keys.sorted() where name != "acks" && name != "key" {
            throw Invalid(message: "unknown field \"\(name.prefix(60))\" in hello; there are acks and key")
        }
        guard let acks = fields["acks"].flatMap(Submission.Acknowledgement.init(rawValue:)) else {
            throw Invalid(message: "acks must be \"spooled\" or \"committed\"")
        }
        return TCPGreeting(acks: acks, key: fields["key"])
    }

    /// True when the line's first key is `hello`, which no event has.
    private static func isGreeting(_ line: UnsafeRawBufferPointer) -> Bool {
        var rest = line[...]
        let isSpace = { (byte: UInt8) in byte == 0x20 || byte == 0x09 || byte == 0x0D }
        rest = rest.drop(while: isSpace)
        guard rest.first == UInt8(ascii: "{") else { return false }
        return rest.dropFirst().drop(while: isSpace).starts(with: "\"hello\"".utf8)
    }
}
