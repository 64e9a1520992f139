/// A user as the identity database knows them.
struct IdentityUser: Sendable, Equatable {
    var email: String
    var firstName: String
    var lastName: String
    var plan: String

    /// Of a user who is not known there.
    static func unknown(_ id: String) -> IdentityUser {
        IdentityUser(email: id, firstName: "", lastName: "", plan: "free")
    }
}
