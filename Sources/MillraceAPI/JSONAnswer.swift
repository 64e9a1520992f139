internal import FoundationEssentials
internal import HTTPTypes
internal import Hummingbird
internal import NIOCore

/// Responses with a JSON body.
enum JSONAnswer {
    static func encode(_ value: some Encodable) -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.withoutEscapingSlashes, .sortedKeys]
        // What is encoded here are strings and numbers of our own types; that can't fail.
        return (try? Array(encoder.encode(value))) ?? Array("{}".utf8)
    }

    static func response(
        _ status: HTTPResponse.Status, _ value: some Encodable, _ headers: HTTPFields = HTTPFields()
    ) -> Response {
        var headers = headers
        headers[.contentType] = "application/json"
        return Response(status: status, headers: headers, body: .init(byteBuffer: ByteBuffer(bytes: encode(value))))
    }
}
