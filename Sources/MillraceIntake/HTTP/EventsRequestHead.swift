internal import MillraceChannels
internal import MillraceDialects

/// What the head of `POST /v1/events`, or of a request in a dialect, asks for.
struct EventsRequestHead: Equatable {
    var format: ItemCutter.Format
    var encoding: BodyEncoding
    var acknowledgement: Submission.Acknowledgement
    /// The answer is to name the position of what was accepted.
    var wantsPosition = false
    /// Nil: the body's items are Millrace's own.
    var dialect: DialectRequest?

    init(_ dialect: DialectRequest, uri: String, _ fields: HTTPRequestFields) throws(HTTPProblem) {
        acknowledgement = dialect.dialect == .cloudEvents ? try Self.acknowledgement(uri: uri) : .spooled
        format = .json
        self.dialect = dialect
        guard dialect.hasKnownType else {
            let wanted = dialect.dialect == .openTelemetry ? " or application/x-protobuf" : ""
            throw HTTPProblem(.unsupportedMediaType, "Content-Type must be application/json\(wanted)")
        }
        encoding = try Self.encoding(fields)
        // Some compress without saying so.
        if encoding == .identity, dialect.dialect != .cloudEvents { encoding = .untold }
    }

    init(uri: String, _ fields: HTTPRequestFields) throws(HTTPProblem) {
        acknowledgement = try Self.acknowledgement(uri: uri)
        wantsPosition = try Self.wantsPosition(uri: uri)
        format = try Self.format(fields)
        encoding = try Self.encoding(fields)
    }

    private static func encoding(_ fields: HTTPRequestFields) throws(HTTPProblem) -> BodyEncoding {
        let encodings = fields.contentEncodings
        guard encodings.count <= 1, let encoding = BodyEncoding(header: encodings.first) else {
            throw HTTPProblem(.unsupportedEncoding, "Content-Encoding must be one of gzip, deflate, zstd, identity")
        }
        return encoding
    }

    private static func acknowledgement(uri: String) throws(HTTPProblem) -> Submission.Acknowledgement {
        guard let text = value(of: "ack", in: uri) else { return .spooled }
        guard let wanted = Submission.Acknowledgement(rawValue: text) else {
            throw HTTPProblem(.invalidAck, "ack must be spooled or committed")
        }
        return wanted
    }

    private static func wantsPosition(uri: String) throws(HTTPProblem) -> Bool {
        guard let text = value(of: "position", in: uri) else { return false }
        guard let wanted = Bool(text) else { throw HTTPProblem(.invalidAck, "position must be true or false") }
        return wanted
    }

    /// The last one of the query.
    private static func value(of name: String, in uri: String) -> String? {
        guard let question = uri.utf8.firstIndex(of: UInt8(ascii: "?")) else { return nil }
        return uri[uri.index(after: question)...].split(separator: "&").last { $0.hasPrefix(name + "=") }
            .map { String($0.dropFirst(name.utf8.count + 1)) }
    }

    private static func format(_ fields: HTTPRequestFields) throws(HTTPProblem) -> ItemCutter.Format {
        guard let contentType = fields.contentType, contentType != "application/json" else { return .json }
        switch fields.plainContentType {
        case "", "application/json": return .json
        // What a beacon sends, whose page was let in.
        case "text/plain" where fields.origin != nil: return .json
        case "application/x-ndjson", "application/ndjson", "application/jsonlines", "application/x-jsonlines":
            return .lines
        default:
            throw HTTPProblem(
                .unsupportedMediaType,
                "Content-Type must be application/json (an object or array) or application/x-ndjson (one a line)")
        }
    }
}

/// How a body is compressed.
enum BodyEncoding: Equatable {
    case identity, gzip, deflate, zstd
    /// gzip where it begins as that does, else plain.
    case untold

    /// From the Content-Encoding header; nil for one that is not known, or for several.
    init?(header: String?) {
        switch header?.lowercased() {
        case nil, "", "identity": self = .identity
        case "gzip", "x-gzip": self = .gzip
        case "deflate": self = .deflate
        case "zstd": self = .zstd
        default: return nil
        }
    }
}
