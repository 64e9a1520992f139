/// Builds a JSON text piece by piece, in the order of the calls.
package struct JSONWriter: Sendable {
    package private(set) var bytes: [UInt8] = []
    /// Offsets at which whoever sends the text puts in what is not in `bytes`; ascending.
    package private(set) var gaps: [Int] = []

    package init() {
        // What most answers need, at once.
        bytes.reserveCapacity(128)
    }

    /// JSON as it stands.
    package mutating func append(raw text: StaticString) {
        bytes.append(contentsOf: UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    /// JSON as it stands.
    package mutating func append(raw text: some Collection<UInt8>) {
        bytes.append(contentsOf: text)
    }

    /// A whole number in decimal digits.
    package mutating func append(_ number: some BinaryInteger) {
        bytes.append(contentsOf: String(number).utf8)
    }

    /// `true` or `false`.
    package mutating func append(_ bool: Bool) {
        if bool { append(raw: "true") } else { append(raw: "false") }
    }

    /// A string.
    package mutating func append(_ text: String) {
        JSONString.append(text, to: &bytes)
    }

    /// `,"name":`, without the comma after an opening bracket.
    package mutating func append(name: String) {
        separate()
        append(name)
        append(raw: ":")
    }

    /// The same of a name that was made a literal with its colon before.
    mutating func append(key: [UInt8]) {
        separate()
        bytes.append(contentsOf: key)
    }

    /// A comma, except after an opening bracket and at the start.
    package mutating func separate() {
        switch bytes.last {
        case nil, UInt8(ascii: "{"), UInt8(ascii: "["): break
        default: bytes.append(UInt8(ascii: ","))
        }
    }

    /// Remembers this place for something that is too large to be copied.
    package mutating func appendGap() {
        gaps.append(bytes.count)
    }

    /// An object of JSON texts, its members in the order of their names.
    package static func object(_ members: [String: [UInt8]]) -> [UInt8] {
        var json = JSONWriter()
        json.append(raw: "{")
        for (name, value) in members.sorted(by: { $0.key < $1.key }) {
            json.append(name: name)
            json.append(raw: value)
        }
        json.append(raw: "}")
        return json.bytes
    }
}
