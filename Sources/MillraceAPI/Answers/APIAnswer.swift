internal import HTTPTypes
internal import Hummingbird
internal import MillraceEvent
internal import NIOCore

/// A 200 with a JSON body that was written piece by piece.
enum APIAnswer {
    /// Larger rows are sent as they are, not copied behind the head.
    private static let copiedBytesMax = 16 << 10

    static func response(_ json: JSONWriter, status: HTTPResponse.Status = .ok) -> Response {
        response(.init(byteBuffer: json.buffer), status: status)
    }

    /// `head`: an object up to where `"name":[…],"next":…}` follows.
    static func response(_ head: JSONWriter, _ page: Page, named name: String, question: PageCursor.Question)
        -> Response
    {
        var head = head
        head.append(name: name)
        head.append(raw: "[")
        var tail = JSONWriter()
        tail.append(raw: "],\"next\":")
        tail.append(page.next.map { PageCursor($0).text(question: question) })
        tail.append(raw: "}")
        guard page.rows.byteCount > copiedBytesMax else {
            head.append(raw: page.rows.bytes)
            head.append(raw: tail.bytes)
            return response(head)
        }
        let (rows, memory) = ([head.buffer, page.rows.buffer], page.memory)
        let end = tail.buffer
        let byteCount = head.byteCount + page.rows.byteCount + tail.byteCount
        return response(
            ResponseBody(contentLength: byteCount) { writer in
                try await writer.write(contentsOf: rows)
                // The connection counts from here what its client does not take.
                memory?.count(0)
                try await writer.write(end)
                try await writer.finish(nil)
            })
    }

    private static func response(_ body: ResponseBody, status: HTTPResponse.Status = .ok) -> Response {
        Response(status: status, headers: [.contentType: "application/json"], body: body)
    }
}
