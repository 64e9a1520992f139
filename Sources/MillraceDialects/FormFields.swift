/// Names and values of a query, or of a body of `application/x-www-form-urlencoded`.
package struct FormFields: Sendable, Equatable {
    /// In their order, decoded. What is no UTF-8 is replaced; a `%` that no two digits follow stays.
    package private(set) var items: [Item] = []

    package struct Item: Sendable, Equatable {
        package var name: String
        package var value: String
    }

    package init(_ text: some Collection<UInt8>) {
        for pair in text.split(separator: UInt8(ascii: "&")) {
            let end = pair.firstIndex(of: UInt8(ascii: "=")) ?? pair.endIndex
            items.append(
                Item(
                    name: Self.decoded(pair[..<end]),
                    value: end < pair.endIndex ? Self.decoded(pair[end...].dropFirst()) : ""))
        }
    }

    /// The first value of that name.
    package subscript(name: String) -> String? { items.first { $0.name == name }?.value }

    private static func decoded(_ text: some Collection<UInt8>) -> String {
        var bytes: [UInt8] = []
        var rest = text[...]
        while let byte = rest.popFirst() {
            let digits = rest.prefix(2)
            if byte == UInt8(ascii: "+") {
                bytes.append(UInt8(ascii: " "))
            } else if byte == UInt8(ascii: "%"), digits.count == 2, let value = Self.value(digits) {
                bytes.append(value)
                rest = rest.dropFirst(2)
            } else {
                bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Of hexadecimal digits of either case; nil where one is none.
    static func value(_ digits: some Sequence<UInt8>) -> UInt8? {
        var value: UInt8 = 0
        for digit in digits {
            guard let bits = Character(UnicodeScalar(digit)).hexDigitValue else { return nil }
            value = value << 4 | UInt8(bits)
        }
        return value
    }
}
