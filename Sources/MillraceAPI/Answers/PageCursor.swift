internal import Crypto
internal import FoundationEssentials

/// Where a page ended: the key of its last row, closed against changes by a checksum that also covers the question, so
/// that a cursor goes on with the question that gave it and no other.
///
/// base64url of: 8 bytes of SHA-256 over the question, a zero byte, and what follows: a JSON array of strings and nulls.
struct PageCursor: Equatable {
    private static let textBytesMax = 8192

    var values: [String?]

    init(_ values: [String?]) {
        self.values = values
    }

    /// nil when the text is no cursor of this question.
    init?(_ text: String, question: String) {
        guard text.utf8.count <= Self.textBytesMax,
            text.allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "-" || $0 == "_") })
        else { return nil }
        var plain = text.map { $0 == "-" ? "+" : $0 == "_" ? "/" : $0 }
        while !plain.count.isMultiple(of: 4) { plain.append("=") }
        guard let data = Data(base64Encoded: String(plain)), data.count > 8,
            Array(data.prefix(8)) == Self.checksum(question, data.dropFirst(8)),
            let values = try? JSONDecoder().decode([String?].self, from: data.dropFirst(8))
        else { return nil }
        // The last letter may hold bits that say nothing.
        guard Self(values).text(question: question) == text else { return nil }
        self.values = values
    }

    func text(question: String) -> String {
        let json = JSONAnswer.encode(values)
        let data = Data(Self.checksum(question, json) + json)
        return String(
            data.base64EncodedString().compactMap { $0 == "+" ? "-" : $0 == "/" ? "_" : $0 == "=" ? nil : $0 })
    }

    private static func checksum(_ question: String, _ json: some Collection<UInt8>) -> [UInt8] {
        Array(SHA256.hash(data: Array("millrace cursor 1\0\(question)\0".utf8) + json).prefix(8))
    }
}
