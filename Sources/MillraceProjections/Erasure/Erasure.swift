package import MillraceEvent

/// One erasure that is not done.
package struct Erasure: Sendable, Equatable {
    /// Raw value = `erasures.source`.
    package enum Source: String, Sendable {
        case command
        case api
        /// A pack deleted the user.
        case trigger
        /// A month or a backup came back that still had the user.
        case replay
    }

    package var id: String
    package var tenant: Int32
    package var user: UniqueID
    package var external: String?
    /// Which pack alone knows the user by `external`; nil: all.
    package var pack: String?
    /// Which of the user's pseudonyms is made: each pass that may find what came after an earlier one makes another, since a
    /// table may have one row a user. Empty: the first.
    package var life: String
    /// A pass for it began and did not end.
    package var wasInterrupted: Bool
}
