/// How the intake tells the routes whose certificate a client showed: a header field of the request, which the intake puts
/// in the place of whatever the client sent under its name.
package enum ClientSubjectField {
    package static let name = "Millrace-Client-Subject"

    /// As the field's value: UTF-8 in hexadecimal, since a subject may hold what no field may.
    package static func encoded(_ subject: String) -> String {
        subject.utf8.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    /// Nil for what `encoded` did not make.
    package static func decoded(_ value: String) -> String? {
        let digits = value.utf8.compactMap { Character(UnicodeScalar($0)).hexDigitValue }
        guard digits.count == value.utf8.count, digits.count.isMultiple(of: 2) else { return nil }
        let bytes = stride(from: 0, to: digits.count, by: 2).map { UInt8(digits[$0] * 16 + digits[$0 + 1]) }
        return String(validating: bytes, as: UTF8.self)
    }
}
