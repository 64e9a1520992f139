/// A value from the command line.
package struct ConfigurationOverride: Sendable {
    /// `section.key`.
    package var key: String
    package var value: String
    /// The flag that set it, as messages name it.
    package var flag: String

    package init(key: String, value: String, flag: String) {
        self.key = key
        self.value = value
        self.flag = flag
    }

    /// From the argument of `--set`: `section.key=value`. Nil where no name stands before an equals sign: messages name
    /// the key, and a connection string has equals signs too.
    package init?(assignment: String) {
        guard let equals = assignment.firstIndex(of: "="),
            assignment[..<equals].allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber || "._-".contains($0)) })
        else { return nil }
        key = String(assignment[..<equals])
        value = String(assignment[assignment.index(after: equals)...])
        flag = "--set \(key)"
    }
}
