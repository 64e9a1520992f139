/// Which line of a TOML file each key stands in. The parser doesn't tell, so this scans the text for headers and keys;
/// it trusts that the text has been parsed. A key inside an inline table has the line of the table.
package struct TOMLLines: Sendable {
    private var lines: [[String]: Int] = [:]
    private var header: [String] = []
    private var arrayCounts: [[String]: Int] = [:]
    /// Of a multi-line string that is open.
    private var openQuote: [UInt8]?
    /// Of arrays and inline tables that are open.
    private var depth = 0

    /// `text`: of the whole file.
    package init(_ text: String) {
        for (index, line) in text.utf8.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
            .enumerated()
        {
            scan(Array(line), number: index + 1)
        }
    }

    /// Counted from 1. `path`: the components, `#0` after an array of tables for its first table. Falls back to the
    /// nearest parent.
    package func line(of path: [String]) -> Int {
        var path = path
        while !path.isEmpty {
            if let line = lines[path] { return line }
            path.removeLast()
        }
        return 1
    }

    private mutating func scan(_ line: [UInt8], number: Int) {
        var rest = line[...]
        if openQuote == nil, depth == 0 {
            rest = rest.drop(while: Self.isBlank)
            guard let first = rest.first, first != UInt8(ascii: "#") else { return }
            if first == UInt8(ascii: "[") { return scanHeader(rest.dropFirst(), number: number) }
            let path = header + Self.keyPath(&rest)
            if lines[path] == nil { lines[path] = number }
            for length in header.count + 1..<max(header.count + 1, path.count) {
                let parent = Array(path.prefix(length))
                if lines[parent] == nil { lines[parent] = number }
            }
            rest = rest.dropFirst()
        }
        scanValue(rest)
    }

    private mutating func scanHeader(_ text: ArraySlice<UInt8>, number: Int) {
        var rest = text
        let isArray = rest.first == UInt8(ascii: "[")
        if isArray { rest = rest.dropFirst() }
        header = []
        // Within an array of tables, the table that was begun last is meant.
        for name in Self.keyPath(&rest) {
            if let count = arrayCounts[header] { header.append("#\(count - 1)") }
            header.append(name)
        }
        if isArray {
            let index = arrayCounts[header, default: 0]
            arrayCounts[header] = index + 1
            if lines[header] == nil { lines[header] = number }
            header.append("#\(index)")
        }
        if lines[header] == nil { lines[header] = number }
    }

    /// Follows strings, brackets and comments, so that a value over several lines is not taken for keys.
    private mutating func scanValue(_ text: ArraySlice<UInt8>) {
        var rest = text
        while let byte = rest.first {
            if let quote = openQuote {
                if byte == UInt8(ascii: "\\"), quote[0] == UInt8(ascii: "\"") {
                    rest = rest.dropFirst(2)
                } else if rest.starts(with: quote) {
                    rest = rest.dropFirst(quote.count)
                    openQuote = nil
                } else {
                    rest = rest.dropFirst()
                }
                continue
            }
            switch byte {
            case UInt8(ascii: "#"): return
            case UInt8(ascii: "["), UInt8(ascii: "{"): depth += 1
            case UInt8(ascii: "]"), UInt8(ascii: "}"): depth = max(0, depth - 1)
            case UInt8(ascii: "\""), UInt8(ascii: "'"):
                let quote = [byte, byte, byte]
                openQuote = rest.starts(with: quote) ? quote : [byte]
                rest = rest.dropFirst(openQuote?.count ?? 1)
                continue
            default: break
            }
            rest = rest.dropFirst()
        }
        if openQuote?.count == 1 { openQuote = nil }
    }

    /// A bare, quoted or dotted key; leaves `rest` at the first byte that is none of it.
    private static func keyPath(_ rest: inout ArraySlice<UInt8>) -> [String] {
        var path: [String] = []
        while true {
            rest = rest.drop(while: isBlank)
            if let quote = rest.first, quote == UInt8(ascii: "\"") || quote == UInt8(ascii: "'") {
                let name = rest.dropFirst().prefix { $0 != quote }
                path.append(String(decoding: name, as: UTF8.self))
                rest = rest[name.endIndex...].dropFirst()
            } else {
                let name = rest.prefix { !isBlank($0) && !".=]".utf8.contains($0) }
                path.append(String(decoding: name, as: UTF8.self))
                rest = rest[name.endIndex...]
            }
            rest = rest.drop(while: isBlank)
            guard rest.first == UInt8(ascii: ".") else { return path }
            rest = rest.dropFirst()
        }
    }

    private static func isBlank(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") || byte == UInt8(ascii: "\r")
    }
}
