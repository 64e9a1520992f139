internal import HTTPTypes
internal import MillraceAccess
internal import MillraceEvent
internal import MillracePostgres

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
    /// Of the client certificate that it showed besides.
    var clientSubject: String?
    /// It showed a token.
    var isOfToken = false
    /// When the token ends.
    var expiresAt: Timestamp?

    /// For the audit log. `address`: the client's, without a port.
    func actor(at address: String) -> AuditActor {
        if let grant { return .key(grant.record.id, address: address, clientSubject: clientSubject) }
        guard isOfToken else { return AuditActor(.system, name: "unknown", origin: address) }
        return AuditActor(.key, name: "token" + (user.map { " of \($0)" } ?? ""), origin: address)
    }

    func may(_ scope: AccessScope) -> Bool { scopes.allow(scope) }

    /// Whose rows alone it reads; nil: all of the tenant.
    var readsOnlyOf: UniqueID? { may(.read) ? nil : user }

    /// Throws `APIProblem` where its key's types leave this one out. `what`: for the message, in the plural.
    func requireType(_ type: String, _ what: String) throws(APIProblem) {
        guard let types = grant?.eventTypes, !types.allows(type.utf8) else { return }
        throw APIProblem(.forbidden, RefusalCode.forbiddenType.rawValue, "this key may not send \(what) (\(type))")
    }

    /// Whether it writes for `user`: as that user, or for all of the tenant.
    func mayWrite(for user: UniqueID) -> Bool { may(.write) || self.user == user }
}
