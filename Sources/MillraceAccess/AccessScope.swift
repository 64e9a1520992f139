/// What a key or a token lets its holder do.
package enum AccessScope: String, Sendable, Hashable, CaseIterable, Codable {
    /// Send events and conversation saves.
    case write
    /// Read its tenant's rows.
    case read
    /// Read them with the values that `[fields]` encrypts in plain text, and find rows by them.
    case decrypt
    /// Change keys, tenants, months and settings; retry and purge dead letters.
    case admin

    /// In a key's text, so that a reader of a leaked one sees what it opens.
    package var letter: Character {
        switch self {
        case .write: "w"
        case .read: "r"
        case .decrypt: "d"
        case .admin: "a"
        }
    }
}

extension Set<AccessScope> {
    /// Whether they let their holder do it: admin may do everything but see what is encrypted, and who may see that reads.
    package func allow(_ scope: AccessScope) -> Bool {
        switch scope {
        case .decrypt: contains(.decrypt)
        case .read: contains(.read) || contains(.decrypt) || contains(.admin)
        case .write, .admin: contains(scope) || contains(.admin)
        }
    }
}
