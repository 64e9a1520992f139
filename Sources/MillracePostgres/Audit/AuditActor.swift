internal import Glibc

/// Who did something, and from where.
package struct AuditActor: Sendable, Equatable {
    /// Raw value = `audit_log.actor_kind`.
    package enum Kind: String, Sendable {
        /// An access key, by its id.
        case key
        /// A role of the database, where no more is known.
        case role
        /// A user of the system: whoever ran the command, or runs the daemon.
        case system
    }

    package var kind: Kind
    package var name: String
    /// The host, or the client's address and the subject of its certificate.
    package var origin: String

    package init(_ kind: Kind, name: String, origin: String) {
        self.kind = kind
        self.name = name
        self.origin = origin
    }

    /// Whoever holds a key.
    ///
    /// - Parameters:
    ///   - address: the client's, without a port.
    ///   - clientSubject: of its verified certificate.
    package static func key(_ id: String, address: String, clientSubject: String?) -> AuditActor {
        AuditActor(.key, name: id, origin: clientSubject.map { "\(address) (\($0))" } ?? address)
    }

    /// Who runs this process: `alice`, or `root (alice)` where the login or sudo tells whose hands those are.
    package static let process = AuditActor(.system, name: Self.processUser, origin: HostName.current)

    private static var processUser: String {
        let own = geteuid()
        let name = userName(own) ?? "\(own)"
        // Without one the kernel says -1.
        let login = loginID.flatMap { $0 == .max || $0 == own ? nil : userName($0) ?? "\($0)" }
        // Anybody may set the variable, so it tells nothing of a process that sudo can't have begun.
        let sudo = own == 0 ? getenv("SUDO_USER").map { String(cString: $0) } : nil
        guard let person = login ?? sudo, person != name else { return name }
        return "\(name) (\(person))"
    }

    /// Who logged in, which a process can't change later without a privilege.
    private static var loginID: uid_t? {
        guard let file = fopen("/proc/self/loginuid", "re") else { return nil }
        defer { fclose(file) }
        var bytes = [UInt8](repeating: 0, count: 16)
        let count = fread(&bytes, 1, bytes.count, file)
        return uid_t(String(decoding: bytes[..<count], as: UTF8.self))
    }

    private static func userName(_ id: uid_t) -> String? {
        var entry = passwd()
        var found: UnsafeMutablePointer<passwd>?
        var bytes = [CChar](repeating: 0, count: 16_384)
        guard getpwuid_r(id, &entry, &bytes, bytes.count, &found) == 0, found != nil else { return nil }
        return String(cString: entry.pw_name)
    }
}
