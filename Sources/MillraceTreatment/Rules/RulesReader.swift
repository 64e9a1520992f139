internal import MillraceTOML
internal import TOMLKit

/// Reads rules.toml into values, and collects what is wrong on the way.
struct RulesReader {
    /// A table of the file and where it stands, as `TOMLLines` counts.
    struct Place {
        var table: TOMLTable
        var path: [String]
        /// For messages: `rule.order`, or `example.#2`.
        var key: String
    }

    static let rulesMax = 1000
    static let examplesMax = 100_000

    let file: String
    let text: String
    let lines: TOMLLines
    private(set) var errors: [RulesError] = []

    init(file: String, text: String) {
        self.file = file
        self.text = text
        lines = TOMLLines(text)
    }

    mutating func report(_ code: RulesError.Code, _ path: [String], key: String?, _ message: String) {
        errors.append(RulesError(code: code, file: file, line: lines.line(of: path), key: key, message: message))
    }

    mutating func report(_ error: RulesError) {
        errors.append(error)
    }

    /// What was read is whole only where there are no errors.
    mutating func read() -> ([RuleDefinition], [RuleExample]) {
        guard let table = parse() else { return ([], []) }
        for key in table.keys.sorted() where key != "rule" && key != "example" {
            report(
                .unknownKey, [key], key: key,
                "\(key) is unknown; the file has [[rule]] and [[example]] tables")
        }
        var rules: [RuleDefinition] = []
        for place in places("rule", in: table) {
            guard let rule = readRule(place) else { continue }
            if rules.contains(where: { $0.name == rule.name }) {
                report(
                    .impossibleCombination, place.path + ["name"], key: place.key,
                    "the name is there twice; rename one")
            }
            rules.append(rule)
        }
        if rules.count > Self.rulesMax {
            report(
                .tooLarge, ["rule"], key: "rule", "there are \(rules.count) rules; at most \(Self.rulesMax) are wanted")
        }
        let examples = places("example", in: table).flatMap { readExample($0, rules: rules.map(\.name)) }
        return (rules, examples)
    }

    private mutating func parse() -> TOMLTable? {
        if let nul = text.utf8.firstIndex(of: 0) {
            // The parser takes a C string: it would not see what follows.
            let line = text.utf8[..<nul].count { $0 == UInt8(ascii: "\n") } + 1
            errors.append(
                RulesError(code: .invalidSyntax, file: file, line: line, message: "is no TOML: it holds a NUL byte"))
            return nil
        }
        do {
            return try TOMLTable(string: text)
        } catch let error as TOMLParseError {
            errors.append(
                RulesError(
                    code: .invalidSyntax, file: file, line: error.source.begin.line,
                    message: "is no TOML: \(error.description)"))
        } catch {
            errors.append(RulesError(code: .invalidSyntax, file: file, line: 1, message: "is no TOML: \(error)"))
        }
        return nil
    }

    /// The tables of `[[name]]`.
    private mutating func places(_ name: String, in top: TOMLTable) -> [Place] {
        guard let value = top[name] else { return [] }
        guard let array = value.array, array.allSatisfy({ $0.table != nil }) else {
            report(.invalidValue, [name], key: name, "\(name) is no list of tables; write [[\(name)]]")
            return []
        }
        return array.enumerated().compactMap { index, item in
            item.table.map { table in
                let key = table["name"]?.string ?? "#\(index + 1)"
                return Place(table: table, path: [name, "#\(index)"], key: "\(name).\(key)")
            }
        }
    }
}

// MARK: - Values of one table

extension RulesReader {
    mutating func checkKeys(_ place: Place, _ known: [String]) {
        for key in place.table.keys.sorted() where !known.contains(key) {
            let nearest = EditDistance.nearest(to: key, among: known) { $0 } ?? ""
            report(
                .unknownKey, place.path + [key], key: place.key,
                "\(key) is unknown; the nearest known key is \(nearest)")
        }
    }

    private mutating func reportType(_ key: String, in place: Place, wanted: String) {
        report(.invalidValue, place.path + [key], key: place.key, "\(key) is something else; wanted: \(wanted)")
    }

    mutating func string(_ key: String, in place: Place, wanted: String) -> String? {
        guard let value = place.table[key] else { return nil }
        if value.string == nil { reportType(key, in: place, wanted: wanted) }
        return value.string
    }

    /// A text, or a list of them.
    mutating func strings(_ key: String, in place: Place) -> [String]? {
        guard let value = place.table[key] else { return nil }
        if let text = value.string { return [text] }
        guard let array = value.array, array.allSatisfy({ $0.string != nil }) else {
            reportType(key, in: place, wanted: "a text, or a list of texts")
            return nil
        }
        return array.compactMap(\.string)
    }

    mutating func integers(_ key: String, in place: Place) -> [Int32]? {
        guard let value = place.table[key] else { return nil }
        let values = value.array.map(Array.init) ?? [value]
        let numbers = values.compactMap { $0.int.flatMap { Int32(exactly: $0) } }.filter { $0 >= 0 }
        guard numbers.count == values.count else {
            reportType(key, in: place, wanted: "a tenant's number, or a list of them")
            return nil
        }
        return numbers
    }

    mutating func choice<Choice: RawRepresentable<String> & CaseIterable>(
        _ key: String, in place: Place, _ fallback: Choice
    ) -> Choice {
        let names = Choice.allCases.map { "\"\($0.rawValue)\"" }.joined(separator: ", ")
        guard let text = string(key, in: place, wanted: "one of \(names)") else { return fallback }
        guard let choice = Choice(rawValue: text) else {
            report(
                .invalidValue, place.path + [key], key: place.key, "\(key) is \"\(text)\"; wanted: one of \(names)")
            return fallback
        }
        return choice
    }
}
