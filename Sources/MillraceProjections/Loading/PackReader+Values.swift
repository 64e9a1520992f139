internal import MillraceTOML
internal import TOMLKit

extension PackReader {
    /// Lower-case letters, digits and _, a letter first: no quotes in SQL, and room in PostgreSQL's 63 bytes.
    static func isName(_ text: String, lengthMax: Int = 63) -> Bool {
        guard let first = text.utf8.first, (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(first) else { return false }
        return text.utf8.count <= lengthMax
            && text.utf8.allSatisfy {
                (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0)
                    || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0)
                    || $0 == UInt8(ascii: "_")
            }
    }

    /// Reports keys that are none of `known`.
    mutating func checkKeys(_ place: Place, _ known: [String]) {
        for key in place.table.keys where !known.contains(key) {
            let nearest = EditDistance.nearest(to: key, among: known) { $0 } ?? ""
            report(
                .unknownKey, place.path + [key],
                "\(key) is unknown in \(place.what); the nearest known key is \(nearest)")
        }
    }

    /// Reports when it is missing, no string or empty.
    mutating func string(_ key: String, in place: Place) -> String? {
        guard place.table[key] != nil else {
            report(.missingKey, place.path, "\(place.what) needs \(key); add \(key) = \"…\"")
            return nil
        }
        return optionalString(key, in: place)
    }

    /// Reports when it is no string or empty.
    mutating func optionalString(_ key: String, in place: Place) -> String? {
        guard let value = place.table[key] else { return nil }
        guard let text = value.string, !text.isEmpty else {
            report(.invalidValue, place.path + [key], "\(key) is \(Self.found(value)); wanted: a string")
            return nil
        }
        return text
    }

    mutating func integer(_ key: String, in place: Place) -> Int? {
        guard let value = place.table[key] else {
            report(.missingKey, place.path, "\(place.what) needs \(key); add \(key) = 1")
            return nil
        }
        guard value.type == .int, let integer = value.int else {
            report(.invalidValue, place.path + [key], "\(key) is \(Self.found(value)); wanted: an integer")
            return nil
        }
        return integer
    }

    /// Empty when it isn't there.
    mutating func strings(_ key: String, in place: Place) -> [String] {
        guard let value = place.table[key] else { return [] }
        var strings: [String] = []
        for item in value.array.map(Array.init) ?? [value] {
            guard let text = item.string, value.array != nil else {
                report(.invalidValue, place.path + [key], "\(key) is \(Self.found(value)); wanted: a list of strings")
                return []
            }
            strings.append(text)
        }
        for text in Set(strings) where strings.count(where: { $0 == text }) > 1 {
            report(.invalidValue, place.path + [key], "\(key) names \"\(text)\" twice; remove one")
        }
        return strings
    }

    /// A table within `place`; nil when it isn't there.
    mutating func table(_ key: String, in place: Place) -> Place? {
        guard let value = place.table[key] else { return nil }
        guard let table = value.table else {
            report(
                .invalidValue, place.path + [key],
                "\(key) is \(Self.found(value)); wanted: a table like { column = \"field\" }")
            return nil
        }
        return Place(table: table, path: place.path + [key], what: key)
    }

    /// The name of a choice, or nil with a report.
    mutating func choice(_ key: String, among known: [String], in place: Place) -> String? {
        guard let text = optionalString(key, in: place) else { return nil }
        if known.contains(text) { return text }
        let nearest = EditDistance.nearest(to: text, among: known) { $0 } ?? ""
        report(
            .invalidValue, place.path + [key],
            "\(key) is \"\(text)\"; wanted: \(known.map { "\"\($0)\"" }.joined(separator: ", ")); the nearest is "
                + "\"\(nearest)\"")
        return nil
    }

    static func found(_ value: any TOMLValueConvertible) -> String {
        switch value.type {
        case .bool: "the boolean \(value.bool ?? false)"
        case .int: "the integer \(value.int ?? 0)"
        case .string: value.string.map { $0.isEmpty ? "empty" : "the string \"\($0)\"" } ?? "a string"
        case .array: "a list"
        case .double: "the number \(value.double ?? 0)"
        case .table: "a table"
        case .date, .time, .dateTime: "a time"
        }
    }

    /// A scalar as PostgreSQL reads it; nil for a list or a table.
    static func text(_ value: any TOMLValueConvertible) -> String? {
        switch value.type {
        case .bool: value.bool.map { $0 ? "true" : "false" }
        case .int: value.int.map { String($0) }
        case .string: value.string
        case .double: value.double.map { "\($0)" }
        case .array, .table: nil
        case .date, .time, .dateTime: value.debugDescription
        }
    }
}
