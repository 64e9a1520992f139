/// Values in the query of a path.
package enum QueryText {
    /// Percent-encoded where that may be wanted.
    package static func escaped(_ text: String) -> String {
        var escaped = ""
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"), UInt8(ascii: "."):
                escaped.unicodeScalars.append(Unicode.Scalar(byte))
            default:
                let digits = String(byte, radix: 16, uppercase: true)
                escaped += "%" + (digits.count < 2 ? "0" : "") + digits
            }
        }
        return escaped
    }

    /// `path?name=value&…` of the values that there are.
    package static func path(_ path: String, _ values: [(name: String, value: String?)]) -> String {
        let given = values.compactMap { name, value in value.map { "\(name)=\(escaped($0))" } }
        return given.isEmpty ? path : path + "?" + given.joined(separator: "&")
    }
}
