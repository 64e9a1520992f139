internal import Crypto
internal import FoundationEssentials
internal import MillraceEvent
internal import MillraceJSON
internal import MillracePostgres

/// Where a page ended: the key of its last row, signed together with the question, so that only a cursor which this daemon
/// gave is taken, and it goes on with the question that gave it and no other.
///
/// base64url of: 16 bytes of HMAC-SHA256 over the question, a zero byte, and what follows: a JSON array of strings and nulls.
struct PageCursor: Equatable {
    /// What is asked, without the place and size of the page, and what its cursors are signed with.
    struct Question: Sendable {
        var text: String
        var key: CursorKey
    }

    private static let textBytesMax = 8192
    private static let signatureBytes = 16

    var values: [String?]

    init(_ values: [String?]) {
        self.values = values
    }

    /// nil when the text is no cursor of this question.
    init?(_ text: String, question: Question) {
        guard text.utf8.count <= Self.textBytesMax,
            text.allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "-" || $0 == "_") })
        else { return nil }
        guard let data = Base64URL.bytes(text.utf8), data.count > Self.signatureBytes,
            Self.isSame(
                data.prefix(Self.signatureBytes), Self.signature(question, data.dropFirst(Self.signatureBytes))),
            let values = try? JSONDecoder().decode([String?].self, from: Data(data.dropFirst(Self.signatureBytes)))
        else { return nil }
        // The last letter may hold bits that say nothing.
        guard Self(values).text(question: question) == text else { return nil }
        self.values = values
    }

    func text(question: Question) -> String {
        let json = values.json
        return String(decoding: Base64URL.text(Self.signature(question, json) + json), as: UTF8.self)
    }

    private static func signature(_ question: Question, _ json: some Collection<UInt8>) -> [UInt8] {
        question.key.signature(of: Array("millrace cursor 2\0\(question.text)\0".utf8) + json)
    }

    /// Takes as long wherever they differ.
    private static func isSame(_ left: some Collection<UInt8>, _ right: [UInt8]) -> Bool {
        left.count == right.count && zip(left, right).reduce(0) { $0 | ($1.0 ^ $1.1) } == 0
    }
}

/// What cursors are signed with: secret, and the same for as long as cursors are to be of use.
package struct CursorKey: Sendable {
    /// Fewer could be guessed.
    package static let bytesMin = 16

    @Unprinted private var key: SymmetricKey

    /// Nil when there are fewer than `bytesMin`.
    package init?(_ bytes: [UInt8]) {
        guard bytes.count >= Self.bytesMin else { return nil }
        key = SymmetricKey(data: bytes)
    }

    /// One that no other process has.
    package init() {
        key = SymmetricKey(size: .bits256)
    }

    /// A key of 32 bytes for something else, from which this one can't be told.
    package func derived(_ purpose: String) -> [UInt8] {
        Array(HMAC<SHA256>.authenticationCode(for: Array("millrace \(purpose)\0".utf8), using: key))
    }

    /// HMAC-SHA256, its first 16 bytes.
    func signature(of bytes: [UInt8]) -> [UInt8] {
        Array(HMAC<SHA256>.authenticationCode(for: bytes, using: key).prefix(16))
    }
}
