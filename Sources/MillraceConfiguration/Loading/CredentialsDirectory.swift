/// Where systemd puts the credentials of a unit (`LoadCredential=`): files that the unit's user alone reads, on memory that is
/// not swapped. One stands for each key that is secret, and for the files of TLS, under the key's name.
package struct CredentialsDirectory: Sendable {
    /// systemd's variable.
    static let variable = "CREDENTIALS_DIRECTORY"
    /// Keys whose values are files: a credential is one.
    private static let files: Set = ["tls.certificate", "tls.key", "tls.client_ca", "fields.keys_file"]

    private let path: String

    init(_ path: String) {
        self.path = path
    }

    /// The credential of a key: `millrace.database.url`. `fullName`: `section.key`.
    package static func name(of fullName: String) -> String { "millrace.\(fullName)" }

    /// Every credential that is asked for, in the order of config.toml.
    package static var names: [String] { keys.map { name(of: $0.section.fullName(of: $0.key)) } }

    /// The keys that there may be a credential of.
    static var keys: [(section: ConfigurationSection, key: ConfigurationKey)] {
        ConfigurationSchema.sections.flatMap { section in
            section.keys.filter { $0.secrecy != .open || isFile(section.fullName(of: $0)) }.map { (section, $0) }
        }
    }

    /// Whether the key's value is the credential's path, and not what is in it.
    static func isFile(_ fullName: String) -> Bool { files.contains(fullName) }

    func file(of fullName: String) -> String { "\(path)/\(Self.name(of: fullName))" }
}
