internal import MillraceEvent
internal import SwiftProtobuf

/// What a request's sender is told of log records that were refused.
struct RefusedLogs {
    /// Refusals that the message quotes.
    private static let quotedMax = 3

    private var count = 0
    private var refused = 0
    private var quoted: [String] = []

    /// The next log record is accepted, or refused.
    mutating func add(_ refusal: Refusal?) {
        defer { count += 1 }
        guard let refusal else { return }
        refused += 1
        guard quoted.count < Self.quotedMax else { return }
        quoted.append("number \(count) is refused with \(refusal.code.rawValue): \(refusal.message)")
    }

    /// ExportLogsServiceResponse.
    func answer(isProtobuf: Bool) -> DialectReply.Answer {
        var answer = OTLPLogAnswer()
        if refused > 0 {
            answer.partialSuccess.rejectedLogRecords = Int64(refused)
            answer.partialSuccess.errorMessage =
                "\(refused) of \(count) log records are refused, counted from 0: " + quoted.joined(separator: "; ")
                + (refused > quoted.count ? "; …" : "")
        }
        return DialectReply.Answer(status: 200, answer, isProtobuf: isProtobuf)
    }
}

extension DialectReply.Answer {
    init(status: Int, _ message: some Message, isProtobuf: Bool) {
        // Messages with strings and numbers alone can't fail to be written.
        let body: [UInt8]? = if isProtobuf { try? message.serializedBytes() } else { try? message.jsonUTF8Bytes() }
        self.init(
            status: status, contentType: isProtobuf ? "application/x-protobuf" : "application/json", body: body ?? [])
    }

    /// What OTLP/HTTP answers where the request as a whole is refused: google.rpc.Status.
    ///
    /// - Parameters:
    ///   - code: Millrace's, which the message begins with.
    ///   - status: of HTTP; the status of gRPC that fits it is in the body.
    package static func openTelemetryProblem(
        code: String, message: String, status: Int, isProtobuf: Bool
    ) -> DialectReply.Answer {
        var answer = OTLPStatusAnswer()
        answer.code = grpcStatus(ofHTTP: status)
        answer.message = "\(code): \(message)"
        return DialectReply.Answer(status: status, answer, isProtobuf: isProtobuf)
    }

    /// By google/rpc/code.proto.
    private static func grpcStatus(ofHTTP status: Int) -> Int32 {
        switch status {
        case 401: 16  // UNAUTHENTICATED
        case 403: 7  // PERMISSION_DENIED
        case 404: 5  // NOT_FOUND
        case 405: 12  // UNIMPLEMENTED
        case 413, 429: 8  // RESOURCE_EXHAUSTED
        case 400..<500: 3  // INVALID_ARGUMENT
        case 503: 14  // UNAVAILABLE
        default: 2  // UNKNOWN
        }
    }
}
