internal import HTTPTypes
internal import Hummingbird
internal import MillraceAccess
internal import MillraceChannels
internal import NIOCore

/// The JSON that a request carries, within the bounds of the configuration.
struct PostedBody: Sendable {
    let configuration: APIRoutesConfiguration
    /// For messages: `a conversation`.
    let what: String

    /// Throws `APIProblem` for what is not plain JSON by its headers.
    func checkType(of request: Request) throws(APIProblem) {
        let type = request.headers[.contentType]?.prefix { $0 != ";" }.lowercased().filter { $0 != " " }
        guard type == nil || type == "application/json" else {
            throw APIProblem(.unsupportedMediaType, "unsupported_media_type", "Content-Type must be application/json")
        }
        guard request.headers[.contentEncoding]?.lowercased() ?? "identity" == "identity" else {
            throw APIProblem(.unsupportedMediaType, "unsupported_encoding", "\(what) is sent uncompressed")
        }
    }

    /// `memory`: holds what is read; the rate of the caller's key has it. Throws `APIProblem`, and errors of the connection.
    func read(from request: Request, by caller: Caller, _ memory: MemoryReservation) async throws -> ByteBuffer {
        var body = ByteBuffer()
        for try await var piece in request.body {
            let byteCount = body.readableBytes + piece.readableBytes
            guard byteCount <= configuration.routes.requestBodyMax else {
                throw APIProblem(
                    .contentTooLarge, "body_too_large",
                    "the body has more than \(configuration.routes.requestBodyMax) bytes"
                )
            }
            guard byteCount <= MemoryBudget.freeBytes || memory.resize(to: byteCount) else {
                throw APIProblem(
                    MemoryShortage.code, MemoryShortage.message, retryAfterSeconds: configuration.retryAfterSeconds)
            }
            body.writeBuffer(&piece)
        }
        caller.grant?.take(events: 0, bytes: body.readableBytes, now: NIODeadline.now().uptimeNanoseconds)
        return body
    }
}
