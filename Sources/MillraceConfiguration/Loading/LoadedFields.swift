package import MillraceEvent

/// `[fields]`, with the keys that its file holds.
package struct LoadedFields: Sendable {
    /// Nil: `fields.keys_file` is not set.
    package let keys: FieldKeys?
    /// Nil: nothing is listed.
    package let treatment: FieldTreatment?

    package static let none = LoadedFields()

    private init() {
        keys = nil
        treatment = nil
    }

    /// Reads the file, and blocks on the disk. Throws what is wrong with it or with the paths.
    package init(_ configuration: FieldsConfiguration) throws(FieldsError) {
        keys = configuration.keysFile.isEmpty ? nil : try Self.keys(configuration.keysFile)
        treatment = try FieldTreatment.make(configuration, keys: keys)
    }

    private static func keys(_ file: String) throws(FieldsError) -> FieldKeys {
        guard let text = TextFile.read(file) else {
            throw FieldsError(key: "fields.keys_file", message: "\(file) can't be read: \(TextFile.reason)")
        }
        return try FieldKeys(text)
    }

    /// What is in force, for the operator.
    package var summary: String {
        guard let keys else { return treatment == nil ? "nothing is listed" : "without keys" }
        let others = keys.ids(.encrypt).dropFirst()
        let active = keys.ids(.encrypt).first.map { "encrypts with key \($0)" } ?? "no key to encrypt with"
        return active + (others.isEmpty ? "" : ", opens \(others.joined(separator: ", ")) too")
            + (treatment == nil ? "; nothing is listed" : "")
    }
}
