internal import MillraceAccess
internal import MillraceEvent

/// Who asks: decided once for a request, at the door, by `RequestAccess`.
struct Caller: Sendable {
    /// Whose rows it reads and writes.
    var tenant: Int32 = 0
    /// `admin` holds the others.
    var scopes: Set<AccessScope> = []
    /// The user of a token, who reads and writes rows of their own without a scope.
    var user: UniqueID?
    /// Of the key that it showed.
    var grant: Grant?

    func may(_ scope: AccessScope) -> Bool { scopes.contains(scope) || scopes.contains(.admin) }

    /// Whose rows alone it reads; nil: all of the tenant.
    var readsOnlyOf: UniqueID? { may(.read) ? nil : user }

    /// Whether it writes for `user`: as that user, or for all of the tenant.
    func mayWrite(for user: UniqueID) -> Bool { may(.write) || self.user == user }
}
