internal import HTTPTypes
internal import Hummingbird
internal import MillraceChannels
internal import MillraceJSON
internal import NIOCore

extension Response {
    /// Larger rows are sent as they are, not copied between head and tail.
    private static let copiedBytesMax = 16 << 10

    /// - Parameters:
    ///   - rows: what goes into the answer's gaps, in their order.
    ///   - memory: what the rows hold of the budget, until the connection has them.
    init(
        _ answer: some JSONShape, status: HTTPResponse.Status = .ok, headers: HTTPFields = [:], rows: [ByteBuffer] = [],
        memory: MemoryReservation? = nil
    ) {
        var json = JSONWriter()
        answer.write(to: &json)
        precondition(json.gaps.count == rows.count, "each gap is filled by its rows")
        var pieces: [ByteBuffer] = []
        var piece = ByteBuffer()
        var start = 0
        for (gap, rows) in zip(json.gaps, rows) {
            piece.writeBytes(json.bytes[start..<gap])
            start = gap
            if rows.readableBytes > Self.copiedBytesMax {
                pieces += [piece, rows]
                piece = ByteBuffer()
            } else {
                piece.writeImmutableBuffer(rows)
            }
        }
        piece.writeBytes(json.bytes[start...])
        self.init(json: pieces.isEmpty ? .init(byteBuffer: piece) : Self.body(pieces, piece, memory), status, headers)
    }

    /// JSON as it stands.
    init(json: ByteBuffer, status: HTTPResponse.Status = .ok) {
        self.init(json: .init(byteBuffer: json), status, [:])
    }

    private init(json: ResponseBody, _ status: HTTPResponse.Status, _ headers: HTTPFields) {
        var headers = headers
        headers[.contentType] = "application/json"
        self.init(status: status, headers: headers, body: json)
    }

    private static func body(_ pieces: [ByteBuffer], _ tail: ByteBuffer, _ memory: MemoryReservation?) -> ResponseBody {
        let byteCount = pieces.reduce(tail.readableBytes) { $0 + $1.readableBytes }
        return ResponseBody(contentLength: byteCount) { writer in
            try await writer.write(contentsOf: pieces)
            // The connection counts from here what its client does not take.
            memory?.count(0)
            try await writer.write(tail)
            try await writer.finish(nil)
        }
    }
}
