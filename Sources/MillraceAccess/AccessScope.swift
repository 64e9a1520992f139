/// What a key or a token lets its holder do.
package enum AccessScope: String, Sendable, Hashable, CaseIterable, Codable {
    /// Send events and conversation saves.
    case write
    /// Read its tenant's rows.
    case read
    /// Change keys, tenants, months and settings; retry and purge dead letters.
    case admin

    /// In a key's text, so that a reader of a leaked one sees what it opens.
    package var letter: Character {
        switch self {
        case .write: "w"
        case .read: "r"
        case .admin: "a"
        }
    }
}

extension Set<AccessScope> {
    /// Whether they let their holder do it: admin may do everything.
    package func allow(_ scope: AccessScope) -> Bool { contains(scope) || contains(.admin) }
}
