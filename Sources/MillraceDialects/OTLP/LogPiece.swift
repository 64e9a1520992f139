internal import FoundationEssentials
internal import MillraceEvent
internal import MillraceJSON
internal import SwiftProtobuf

/// A message of OTLP that is still encoded. Each level of a request is decoded when its turn comes: a body of empty messages
/// would take a hundred times its size otherwise.
enum LogPiece {
    case binary(Data)
    /// Valid JSON.
    case json(ArraySlice<UInt8>)

    /// Messages inside each other, of which a value inside another one has two: decoding recurses, so this is less than
    /// `limits.depth` may be, and twice what it is as shipped.
    private static let depthMax = 256

    /// What the members of a group are called in JSON.
    struct Names {
        /// Nil where nothing heads the group.
        var head: String?
        var parts: String

        static let request = Names(head: nil, parts: "resourceLogs")
        static let resource = Names(head: "resource", parts: "scopeLogs")
        static let scope = Names(head: "scope", parts: "logRecords")
    }

    var byteCount: Int {
        switch self {
        case .binary(let data): data.count
        case .json(let text): text.count
        }
    }

    var isJSON: Bool {
        if case .json = self { true } else { false }
    }

    /// `name`: of the message, for its sender.
    func decoded<Decoded: Message>(_ message: Decoded.Type, name: String) throws(Refusal) -> Decoded {
        do {
            switch self {
            case .binary(let data):
                var options = BinaryDecodingOptions()
                options.messageDepthLimit = Self.depthMax
                options.discardUnknownFields = true
                return try Decoded(serializedBytes: data, options: options)
            case .json(let text):
                var options = JSONDecodingOptions()
                options.messageDepthLimit = Self.depthMax
                options.ignoreUnknownFields = true
                return try Decoded(jsonUTF8Bytes: Array(text), options: options)
            }
        } catch {
            throw Refusal(.invalidPayload, "this is no \(name) of OTLP: \(error)")
        }
    }

    /// The message as what heads it and what it holds.
    func group(_ names: Names) throws(Refusal) -> LogGroup {
        switch self {
        case .binary(let data):
            guard names.head != nil else {
                let request = try LogPiece.binary(data).decoded(OTLPLogRequest.self, name: "request")
                return LogGroup(head: nil, parts: request.resourceLogs.map { .binary($0) }, schemaURL: "")
            }
            let group = try decoded(OTLPLogGroup.self, name: "group of \(names.parts)")
            return LogGroup(
                head: .binary(group.head), parts: group.parts.map { .binary($0) }, schemaURL: group.schemaURL)
        case .json(let text):
            return try Self.group(text, names)
        }
    }

    private static func group(_ text: ArraySlice<UInt8>, _ names: Names) throws(Refusal) -> LogGroup {
        guard text.first == UInt8(ascii: "{") else {
            throw Refusal(.notAnObject, "what has \(names.parts) is a JSON object")
        }
        var group = LogGroup(head: nil, parts: [], schemaURL: "")
        for member in JSONScanner.members(text) where !JSONScanner.isNull(member.value) {
            switch member.name {
            case names.parts:
                guard member.value.first == UInt8(ascii: "[") else {
                    throw Refusal(.invalidPayload, "\(names.parts) is no array")
                }
                group.parts = JSONScanner.elements(member.value).map { .json($0) }
            case names.head: group.head = .json(member.value)
            case "schemaUrl" where member.value.first == UInt8(ascii: "\""):
                group.schemaURL = JSONString.text(of: member.value)
            default: continue
            }
        }
        return group
    }
}

/// A request, the logs of a resource, or the logs of a scope.
struct LogGroup {
    var head: LogPiece?
    var parts: [LogPiece]
    /// Empty: none is given.
    var schemaURL: String
}
