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

    /// From the argument of `--set`: `section.key=value`. Nil without an equals sign.
    package init?(assignment: String) {
        guard let equals = assignment.firstIndex(of: "=") else { return nil }
        key = String(assignment[..<equals])
        value = String(assignment[assignment.index(after: equals)...])
        flag = "--set \(key)"
    }
}
