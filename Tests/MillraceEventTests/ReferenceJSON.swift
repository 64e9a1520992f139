/// A slow, strict, recursive reader of JSON (RFC 8259), written apart from the parser to be compared with it.
indirect enum ReferenceJSON: Equatable {
    case object([Member])
    case array([ReferenceJSON])
    case string(String)
    case number(String)
    case bool(Bool)
    case null

    struct Member: Equatable {
        var name: String
        var value: ReferenceJSON
        /// The value's text as it came.
        var text: String
    }

    struct Malformed: Error {}

    /// Nil when `bytes` are not one JSON value in UTF-8. Halves of surrogate pairs become U+FFFD.
    init?(_ bytes: [UInt8]) {
        guard let text = String(validating: bytes, as: UTF8.self) else { return nil }
        var reader = Reader(scalars: Array(text.unicodeScalars))
        do {
            reader.skipSpace()
            self = try reader.value()
            reader.skipSpace()
            guard reader.at == reader.scalars.count else { return nil }
        } catch {
            return nil
        }
    }

    private struct Reader {
        var scalars: [Unicode.Scalar]
        var at = 0

        var next: Unicode.Scalar? { at < scalars.count ? scalars[at] : nil }

        mutating func skipSpace() {
            while let scalar = next, " \t\r\n".unicodeScalars.contains(scalar) { at += 1 }
        }

        mutating func take(_ text: String) throws {
            for scalar in text.unicodeScalars {
                guard next == scalar else { throw Malformed() }
                at += 1
            }
        }

        mutating func value() throws -> ReferenceJSON {
            switch next {
            case "{": return try object()
            case "[": return try array()
            case "\"": return .string(try string())
            case "t":
                try take("true")
                return .bool(true)
            case "f":
                try take("false")
                return .bool(false)
            case "n":
                try take("null")
                return .null
            default: return try number()
            }
        }

        mutating func object() throws -> ReferenceJSON {
            var members: [Member] = []
            try take("{")
            skipSpace()
            while next != "}" {
                if !members.isEmpty {
                    try take(",")
                    skipSpace()
                }
                let name = try string()
                skipSpace()
                try take(":")
                skipSpace()
                let start = at
                let value = try value()
                var text = String.UnicodeScalarView()
                text.append(contentsOf: scalars[start..<at])
                members.append(Member(name: name, value: value, text: String(text)))
                skipSpace()
            }
            at += 1
            return .object(members)
        }

        mutating func array() throws -> ReferenceJSON {
            var values: [ReferenceJSON] = []
            try take("[")
            skipSpace()
            while next != "]" {
                if !values.isEmpty {
                    try take(",")
                    skipSpace()
                }
                values.append(try value())
                skipSpace()
            }
            at += 1
            return .array(values)
        }

        mutating func string() throws -> String {
            try take("\"")
            var units: [UInt16] = []
            while let scalar = next, scalar != "\"" {
                at += 1
                guard scalar.value >= 0x20 else { throw Malformed() }
                units += scalar == "\\" ? [try escape()] : Array(String(scalar).utf16)
            }
            try take("\"")
            return String(decoding: units, as: UTF16.self)
        }

        mutating func escape() throws -> UInt16 {
            guard let letter = next else { throw Malformed() }
            at += 1
            switch letter {
            case "\"", "\\", "/": return UInt16(letter.value)
            case "b": return 8
            case "f": return 12
            case "n": return 10
            case "r": return 13
            case "t": return 9
            case "u":
                guard at + 4 <= scalars.count else { throw Malformed() }
                let digits = scalars[at..<at + 4].map(Character.init)
                at += 4
                guard digits.allSatisfy({ $0.isASCII && $0.isHexDigit }), let unit = UInt16(String(digits), radix: 16)
                else { throw Malformed() }
                return unit
            default: throw Malformed()
            }
        }

        mutating func digits() throws -> String {
            var text = ""
            while let scalar = next, ("0"..."9").contains(scalar) {
                text.unicodeScalars.append(scalar)
                at += 1
            }
            guard !text.isEmpty else { throw Malformed() }
            return text
        }

        mutating func number() throws -> ReferenceJSON {
            var text = ""
            if next == "-" {
                text = "-"
                at += 1
            }
            let whole = try digits()
            guard whole == "0" || !whole.hasPrefix("0") else { throw Malformed() }
            text += whole
            if next == "." {
                at += 1
                text += "." + (try digits())
            }
            if next == "e" || next == "E" {
                text += "e"
                at += 1
                if let sign = next, sign == "+" || sign == "-" {
                    text.unicodeScalars.append(sign)
                    at += 1
                }
                text += try digits()
            }
            return .number(text)
        }
    }
}
