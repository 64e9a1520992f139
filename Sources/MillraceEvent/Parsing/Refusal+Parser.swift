package import CMillrace

extension Refusal {
    /// From the C parser.
    package init(_ refusal: mr_refusal) {
        guard let code = RefusalCode(parserCode: refusal.code) else {
            preconditionFailure("the parser refuses with a code that RefusalCode does not know")
        }
        let message = withUnsafeBytes(of: refusal.message) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        self.init(code, message)
    }
}
