internal import CMillrace
internal import Glibc
internal import MillraceEvent
internal import MillraceJSON

/// A value of a body as it stands there: valid JSON.
struct JSONPiece {
    let bytes: UnsafeRawBufferPointer

    init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    var isString: Bool { bytes.first == UInt8(ascii: "\"") }

    var isObject: Bool { bytes.first == UInt8(ascii: "{") }

    var isNull: Bool { bytes.first == UInt8(ascii: "n") }

    var isTrue: Bool { bytes.first == UInt8(ascii: "t") }

    var isFalse: Bool { bytes.first == UInt8(ascii: "f") }

    private var isNumber: Bool {
        bytes.first.map { $0 == UInt8(ascii: "-") || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) } ?? false
    }

    /// Between the quotes.
    private var content: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: bytes.dropFirst().dropLast()) }

    /// Of a string.
    var text: String? {
        guard isString else { return nil }
        return content.contains(UInt8(ascii: "\\"))
            ? JSONString.text(of: Array(bytes)[...]) : String(decoding: content, as: UTF8.self)
    }

    /// Somebody's or something's id: a string that is not empty, or a number's digits.
    var id: String? {
        if isNumber { return String(decoding: bytes, as: UTF8.self) }
        return text.flatMap { $0.isEmpty ? nil : $0 }
    }

    /// Whether it holds exactly what UUIDs are written with, so that it can be one.
    private var hasUUIDLength: Bool { isString && bytes.count == 38 }

    /// The UUID that a string is; nil for any other, and for the one of nobody.
    var uuid: UniqueID? {
        guard hasUUIDLength, let id = UniqueID(String(decoding: content, as: UTF8.self)), !id.isOfNobody else {
            return nil
        }
        return id
    }

    /// The time that a string is, RFC 3339; without an offset it is UTC's. Or milliseconds since 1970.
    var time: Timestamp? {
        if isNumber { return milliseconds.map { Timestamp(microseconds: $0 * 1000) } }
        guard let text else { return nil }
        return Timestamp(rfc3339: text) ?? Timestamp(rfc3339: text + "Z")
    }

    /// A number's, as far as times go.
    var milliseconds: Int64? {
        let value = Int64(String(decoding: bytes, as: UTF8.self))
        return value.flatMap { $0.magnitude < 1_000_000_000_000_000 ? $0 : nil }
    }

    /// The members of an object, by their names' last values.
    var object: [String: JSONPiece] {
        guard isObject else { return [:] }
        // Places in this text, so that pieces point into it.
        var found: [String: JSONPiece] = [:]
        for member in JSONScanner.members(Array(bytes)[...]) {
            found[member.name] = JSONPiece(
                UnsafeRawBufferPointer(rebasing: bytes[member.value.startIndex..<member.value.endIndex]))
        }
        return found
    }
}

extension UnsafeRawBufferPointer {
    /// Whether the text stands anywhere in it.
    func holds(_ text: StaticString) -> Bool {
        guard var start = baseAddress else { return false }
        let (end, length) = (start + count, text.utf8CodeUnitCount)
        while end - start >= length, let found = memchr(start, Int32(text.utf8Start[0]), end - start - length + 1) {
            if memcmp(found, text.utf8Start, length) == 0 { return true }
            start = UnsafeRawPointer(found) + 1
        }
        return false
    }
}
