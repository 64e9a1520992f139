internal import MillraceTOML
internal import TOMLKit

extension RulesReader {
    /// `rules`: names of those that there are.
    mutating func readExample(_ place: Place, rules: [String]) -> [RuleExample] {
        checkKeys(place, ["name", "line", "file", "tenant", "expect", "rule", "path"])
        let line = string("line", in: place, wanted: "an event or a save as JSON")
        let path = string("file", in: place, wanted: "the path of a file with a line each")
        let tenant = integers("tenant", in: place)?.first ?? 0
        let rule = string("rule", in: place, wanted: "a rule's name")
        let pointer = string("path", in: place, wanted: "a JSON pointer, as /payload/total")
        if place.table["expect"] == nil {
            report(
                .missingKey, place.path, key: place.key,
                "an example says what it expects: expect = \"keep\", \"refuse\", \"quarantine\" or \"sample_out\"")
        }
        let expect: RuleExample.Outcome = choice("expect", in: place, .keep)
        if let rule, !rules.contains(rule) {
            report(.invalidValue, place.path + ["rule"], key: place.key, "there is no rule \"\(rule)\"")
        }
        if expect == .keep, rule != nil || pointer != nil {
            report(
                .impossibleCombination, place.path + ["expect"], key: place.key,
                "rule and path say who is against the line, and keep that nobody is")
        }
        guard (line == nil) != (path == nil) else {
            report(.missingKey, place.path, key: place.key, "an example has a line, or a file with a line each")
            return []
        }
        func example(_ line: String, name: String, file: String, place: Int) -> RuleExample {
            RuleExample(
                name: name, tenant: tenant, line: line, expect: expect, rule: rule, path: pointer, file: file,
                place: place)
        }
        let name = place.key.dropFirst("example.".count)
        if let line {
            return [example(line, name: String(name), file: file, place: lines.line(of: place.path + ["line"]))]
        }
        let found = resolved(path ?? "")
        guard let text = Self.readText(found) else {
            report(.unreadableFile, place.path + ["file"], key: place.key, "\(found) cannot be read as UTF-8")
            return []
        }
        let written = text.split(separator: "\n", omittingEmptySubsequences: false).enumerated()
        return written.filter { !$0.element.allSatisfy(\.isWhitespace) }.prefix(Self.examplesMax).map { index, line in
            example(String(line), name: "\(name):\(index + 1)", file: found, place: index + 1)
        }
    }
}
