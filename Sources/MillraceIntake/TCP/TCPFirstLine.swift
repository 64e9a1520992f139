internal import FoundationEssentials
internal import MillraceChannels

/// What the first line of a TCP connection that is not empty is.
enum TCPFirstLine: Equatable {
    /// No greeting: the connection gets no answers.
    case event
    case greeting(TCPGreeting)
    case invalidGreeting(String)
    case httpRequest
    /// TLS, where plain text is spoken.
    case tlsHello

    /// `line`: whole, or the beginning of one that is too long.
    init(_ line: UnsafeRawBufferPointer) {
        if HTTPRequestLine.isOne(line) {
            self = .httpRequest
            return
        }
        do throws(TCPGreeting.Invalid) {
            self = try TCPGreeting.parse(line).map { .greeting($0) } ?? .event
        } catch {
            self = .invalidGreeting(error.message)
        }
    }
}

/// Tells the first bytes of TLS, a record of a handshake, from those of a line.
enum TLSHello {
    static func isOne(_ bytes: UnsafeRawBufferPointer) -> Bool { bytes.starts(with: [0x16, 0x03]) }
}

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

/// Tells what a browser or an HTTP client begins with from a line of the TCP intake: a page of a foreign site can make
/// a browser send a form here, whose body would else be taken for lines.
enum HTTPRequestLine {
    /// `POST / HTTP/1.1`, `GET /x`, `PRI * HTTP/2.0`; no event and no greeting begins like that.
    static func isOne(_ line: UnsafeRawBufferPointer) -> Bool {
        let method = line.prefix { (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0) || $0 == UInt8(ascii: "-") }
        guard (3...32).contains(method.count), line.dropFirst(method.count).first == 0x20 else { return false }
        let rest = line.dropFirst(method.count + 1)
        if rest.first == UInt8(ascii: "/") || rest.starts(with: "http".utf8) { return true }
        return rest.drop { $0 != 0x20 }.dropFirst().starts(with: "HTTP/".utf8)
    }
}
