internal import Hummingbird
internal import MillraceJSON
internal import MillraceRoutes

/// `GET /` and its files.
enum PageRoutes {
    static let page = Endpoint(
        APIOperation(
            .page, id: "page", tag: "page", summary: "The operators' page", access: .open,
            successes: [(200, "The page"), (304, "As the client has it")], textType: "text/html")
    ) { request, _ in try file(PageFile.index, request) }

    static let file = Endpoint(
        APIOperation(
            .pageFile, id: "pageFile", tag: "page", summary: "A script, style sheet or picture of the page",
            access: .open,
            pathParameters: [APIParameter("file", .text(bytesMax: 64), "Its name", isRequired: true)],
            successes: [(200, "The file"), (304, "As the client has it")],
            furtherContent: [("text/javascript", .text), ("text/css", .text), ("image/svg+xml", .text)])
    ) { request, _ in
        let name = HTTPRoute.pageFile.match(request.uri.path)?.first?.value ?? ""
        guard name != PageFile.index else { throw noFile }
        return try file(String(name), request)
    }

    private static let noFile = APIProblem(.notFound, "not_found", "the page has no such file")

    private static func file(_ name: String, _ request: Request) throws(APIProblem) -> Response {
        guard let file = PageFile.all[name] else { throw noFile }
        return file.response(to: request.headers)
    }
}
