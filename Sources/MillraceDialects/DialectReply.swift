package import MillraceEvent
internal import MillraceJSON

/// How a request in a dialect is answered: what its SDK looks at, and retries.
package struct DialectReply: Sendable {
    /// An answer, whoever writes it.
    package struct Answer: Sendable, Equatable {
        package var status: Int
        /// Nil where there is no body.
        package var contentType: String?
        package var body: [UInt8]
        /// Further fields, by their names.
        package var fields: [String: String] = [:]
    }

    private enum Look {
        case segment, status, none, picture, results
        case logs(isProtobuf: Bool)
    }

    private let look: Look
    /// Of each message, as members of an object.
    private var results: [UInt8] = []
    private var refusals = RefusedLogs()

    /// Nil where it is answered as `POST /v1/events` is.
    package init?(_ request: DialectRequest) {
        switch request.dialect {
        case .segment: look = request.isPixel ? .picture : .segment
        case .pixel: look = .picture
        case .postHog: look = request.isBeacon ? .none : .status
        case .postHogV1: look = .results
        case .openTelemetry: look = .logs(isProtobuf: request.isProtobuf)
        case .cloudEvents: return nil
        }
    }

    /// Whether it wants the name of each message.
    package var namesMessages: Bool {
        if case .results = look { true } else { false }
    }

    /// A message counts as accepted, or is refused. `uuid`: its name, as a string's literal.
    package mutating func add(uuid: [UInt8]?, _ refusal: Refusal?) {
        if case .logs = look { return refusals.add(refusal) }
        guard namesMessages, let uuid else { return }
        if !results.isEmpty { results.append(",") }
        results += uuid
        guard let refusal else { return results.append(":{\"result\":\"ok\"}") }
        results.append(":{\"result\":\"drop\",\"details\":")
        JSONString.append("\(refusal.code.rawValue): \(refusal.message)", to: &results)
        results.append("}")
    }

    /// Once all that was accepted is durable.
    package var answer: Answer {
        switch look {
        case .segment: Answer(status: 200, contentType: "application/json", body: Array(#"{"success":true}"#.utf8))
        case .status: Answer(status: 200, contentType: "application/json", body: Array(#"{"status":1}"#.utf8))
        case .none: Answer(status: 204, contentType: nil, body: [])
        case .picture:
            Answer(
                status: 200, contentType: "image/gif", body: Self.picture,
                fields: ["Cache-Control": "no-store", "Cross-Origin-Resource-Policy": "cross-origin"])
        case .results:
            Answer(
                status: 200, contentType: "application/json",
                body: Array("{\"results\":{".utf8) + results + Array("}}".utf8))
        case .logs(let isProtobuf): refusals.answer(isProtobuf: isProtobuf)
        }
    }

    /// A transparent pixel.
    private static let picture: [UInt8] = [
        0x47, 0x49, 0x46, 0x38, 0x39, 0x61, 1, 0, 1, 0, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0x21, 0xF9, 4, 1, 0, 0, 0, 0,
        0x2C, 0,
        0, 0, 0, 1, 0, 1, 0, 0, 2, 2, 0x44, 1, 0, 0x3B,
    ]

    /// What is asked for beside events, so that SDKs go quiet: no feature flags, no recordings.
    package static let noFlags = Answer(
        status: 200, contentType: "application/json",
        body: Array(
            (#"{"flags":{},"featureFlags":{},"featureFlagPayloads":{},"errorsWhileComputingFlags":false,"#
                + #""sessionRecording":false,"supportedCompression":["gzip","gzip-js","base64"]}"#).utf8))
}
