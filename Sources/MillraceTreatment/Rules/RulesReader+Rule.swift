internal import FoundationEssentials
internal import MillraceTOML
internal import TOMLKit

extension RulesReader {
    private static let nameBytesMax = 60
    private static let typeBytesMax = 200

    mutating func readRule(_ place: Place) -> RuleDefinition? {
        let keys = [
            "name", "lines", "event_types", "tenants", "allow", "deny", "sample", "sample_by", "schema", "schema_file",
            "checks", "action",
        ]
        checkKeys(place, keys)
        guard let name = string("name", in: place, wanted: "a name") else {
            report(.missingKey, place.path, key: place.key, "a rule needs a name; metrics and messages have it")
            return nil
        }
        let isName =
            (1...Self.nameBytesMax).contains(name.utf8.count)
            && name.utf8.allSatisfy { byte in
                ("a"..."z").contains(Unicode.Scalar(byte)) || ("0"..."9").contains(Unicode.Scalar(byte))
                    || "-_.".utf8.contains(byte)
            }
        if !isName {
            report(
                .invalidValue, place.path + ["name"], key: place.key,
                "name is \"\(name)\"; wanted: at most \(Self.nameBytesMax) of a-z, 0-9, -, _ and .")
        }
        var rule = RuleDefinition(name: name)
        rule.lines = choice("lines", in: place, .events)
        rule.eventTypes = types("event_types", in: place) ?? []
        rule.tenants = integers("tenants", in: place) ?? []
        rule.allow = types("allow", in: place)
        rule.deny = types("deny", in: place) ?? []
        rule.sample = sample(place)
        rule.sampleBy = choice("sample_by", in: place, .id)
        rule.schema = schema(place, rule.lines)
        rule.action = choice("action", in: place, .refuse)
        if rule.lines == .saves {
            for key in ["event_types", "allow", "deny"] where place.table[key] != nil {
                report(
                    .impossibleCombination, place.path + [key], key: place.key,
                    "\(key) is about events, and the rule about saves")
            }
        }
        if ["allow", "deny", "sample", "schema", "schema_file"].allSatisfy({ place.table[$0] == nil }) {
            report(
                .missingKey, place.path, key: place.key,
                "the rule wants nothing; give it allow, deny, sample, schema or schema_file")
        }
        return rule
    }

    /// Whole names, or `prefix.*`.
    private mutating func types(_ key: String, in place: Place) -> [String]? {
        guard let types = strings(key, in: place) else { return nil }
        for type in types {
            let star = type.firstIndex(of: "*")
            let isRight =
                (1...Self.typeBytesMax).contains(type.utf8.count)
                && (star == nil || type.hasSuffix(".*") && star == type.index(before: type.endIndex) && type.count > 2)
            guard !isRight else { continue }
            report(
                .invalidValue, place.path + [key], key: place.key,
                "\(key) has \"\(type)\"; wanted: a whole event_type, or one that ends with .*, as order.*")
        }
        return types
    }

    private mutating func sample(_ place: Place) -> Double? {
        guard let value = place.table["sample"] else {
            if place.table["sample_by"] != nil {
                report(
                    .impossibleCombination, place.path + ["sample_by"], key: place.key,
                    "sample_by goes with sample, which is not there")
            }
            return nil
        }
        let share = value.double ?? value.int.map(Double.init) ?? -1
        guard share > 0, share <= 1 else {
            report(
                .invalidValue, place.path + ["sample"], key: place.key,
                "sample is the share that is kept; wanted: a number above 0 and at most 1 (to keep none: deny)")
            return nil
        }
        return share
    }

    private mutating func schema(_ place: Place, _ lines: RuleDefinition.Lines) -> SchemaText? {
        let inline = string("schema", in: place, wanted: "a JSON Schema as text")
        let path = string("schema_file", in: place, wanted: "the path of a JSON Schema")
        let part = lines == .events ? "payload" : "metadata"
        let checked = string("checks", in: place, wanted: "\"\(part)\" or \"line\"")
        if let checked, checked != part, checked != "line" {
            report(
                .invalidValue, place.path + ["checks"], key: place.key,
                "checks is \"\(checked)\"; wanted: \"\(part)\" or \"line\"")
        }
        if checked != nil, inline == nil, path == nil {
            report(
                .impossibleCombination, place.path + ["checks"], key: place.key,
                "checks goes with schema or schema_file, which are not there")
        }
        if inline != nil, path != nil {
            report(
                .impossibleCombination, place.path + ["schema_file"], key: place.key,
                "schema and schema_file are both there; leave one")
        }
        if let inline {
            let line = textLine(of: place.path + ["schema"])
            return SchemaText(
                text: Array(inline.utf8), file: file, line: line, key: "\(place.key).schema",
                isOfLine: checked == "line")
        }
        guard let path else { return nil }
        let found = resolved(path)
        guard let text = Self.readText(found) else {
            report(
                .unreadableFile, place.path + ["schema_file"], key: place.key, "\(found) cannot be read as UTF-8")
            return nil
        }
        return SchemaText(
            text: Array(text.utf8), file: found, line: 1, key: "\(place.key).schema_file", isOfLine: checked == "line")
    }

    /// Paths count from the directory of rules.toml.
    func resolved(_ path: String) -> String {
        guard !path.hasPrefix("/"), let slash = file.lastIndex(of: "/") else { return path }
        return String(file[...slash]) + path
    }

    /// Nil where it can't be read, or is no UTF-8.
    static func readText(_ path: String) -> String? {
        FileManager.default.contents(atPath: path).flatMap { String(validating: $0, as: UTF8.self) }
    }

    /// The line in which a text begins: the next one where it begins with a line's end.
    private func textLine(of path: [String]) -> Int {
        let line = lines.line(of: path)
        let written = text.split(separator: "\n", maxSplits: line, omittingEmptySubsequences: false)
        guard line <= written.count else { return line }
        let opening = written[line - 1].filter { !$0.isWhitespace }
        return opening.hasSuffix("'''") || opening.hasSuffix("\"\"\"") ? line + 1 : line
    }
}
