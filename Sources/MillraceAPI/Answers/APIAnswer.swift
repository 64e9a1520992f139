internal import HTTPTypes
internal import Hummingbird
internal import NIOCore

/// A 200 with a JSON body that was written piece by piece.
enum APIAnswer {
    static func response(_ json: JSONWriter, status: HTTPResponse.Status = .ok) -> Response {
        Response(
            status: status, headers: [.contentType: "application/json"],
            body: .init(byteBuffer: ByteBuffer(bytes: json.bytes)))
    }
}
