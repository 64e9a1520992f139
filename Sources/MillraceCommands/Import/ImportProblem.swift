/// A record that did not go in, and why.
struct ImportProblem: Encodable, Equatable {
    var file: String
    /// From 1, in the file after decompression; for a nested record those of the record that holds it.
    var line: Int
    /// In bytes, from 1.
    var column: Int
    var offsetBytes: Int
    /// In its array, from 0.
    var index: Int?
    /// The array's name.
    var kind: String?
    var code: String
    var message: String

    init(file: String, place: RecordPlace, kind: String?, code: String, message: String) {
        self.file = file
        line = place.line
        column = place.column
        offsetBytes = place.offsetBytes
        index = place.index
        self.kind = kind
        self.code = code
        self.message = message
    }

    /// For people.
    var text: String {
        let name = [kind, index.map { "[\($0)]" }].compactMap { $0 }.joined()
        return "\(file):\(line):\(column): \(name.isEmpty ? "" : name + ": ")\(code): \(message)"
    }
}
