/// A page being written: rows as JSON until enough are there, and the key of the last one.
struct Page: Sendable {
    var rows = JSONWriter()
    var count = 0
    /// Key of the last row.
    var last: [String?]?
    /// The same, when more rows follow.
    var next: [String?]?

    /// `"items":[…],"next":…`, as members of an object.
    func write(to json: inout JSONWriter, named name: String, question: String) {
        json.append(name: name)
        json.append(raw: "[")
        json.append(raw: rows.bytes)
        json.append(raw: "]")
        json.append(name: "next")
        json.append(next.map { PageCursor($0).text(question: question) })
    }
}
