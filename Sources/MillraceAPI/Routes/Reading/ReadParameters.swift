/// Parameters that several routes take.
enum ReadParameters {
    static let rowsMax = 1000

    static func limit(_ fallback: Int) -> APIParameter {
        APIParameter(
            "limit", .integer(1...rowsMax), "Most items of a page; it ends earlier when its items are large",
            fallback: String(fallback), example: "10")
    }

    static let cursor = APIParameter(
        "cursor", .cursor, "`next` of the page before, with otherwise the same parameters")

    static let user = APIParameter(
        "user_id", .uuid, "Only of this user", example: "843d440a-a7a7-45ee-96df-3568c37384b9")

    static let pack = APIParameter("pack", .text(bytesMax: 64), "A pack of /v1/packs", isRequired: true)

    static func fold(_ kind: String) -> APIParameter {
        APIParameter("fold", .text(bytesMax: 64), "Its \(kind), as /v1/packs lists them", isRequired: true)
    }
}
