/// rules.toml, read and checked: its rules, ready to judge lines, and its examples.
package struct RulesFile: Sendable {
    package let path: String
    package let definitions: [RuleDefinition]
    package let examples: [RuleExample]
    package let rules: RuleSet

    /// Reads the file and those that it names. Blocks on the disk. Throws all that is wrong with any of them.
    package init(path: String) throws(RulesErrors) {
        guard let text = RulesReader.readText(path) else {
            throw RulesErrors(errors: [
                RulesError(
                    code: .unreadableFile, file: path, line: 1,
                    message: "cannot be read as UTF-8; rules.file names the file of the rules")
            ])
        }
        try self.init(text: text, path: path)
    }

    /// `text`: of rules.toml. `path`: its place, from which the files that it names are looked for.
    package init(text: String, path: String) throws(RulesErrors) {
        var reader = RulesReader(file: path, text: text)
        let (definitions, examples) = reader.read()
        var errors = reader.errors
        do throws(RulesErrors) {
            rules = try RuleSet(definitions)
        } catch {
            errors += error.errors
            throw RulesErrors(errors: errors.sorted { ($0.file, $0.line) < ($1.file, $1.line) })
        }
        guard errors.isEmpty else {
            throw RulesErrors(errors: errors.sorted { ($0.file, $0.line) < ($1.file, $1.line) })
        }
        self.path = path
        self.definitions = definitions
        self.examples = examples
    }
}
