/// PostgreSQL sessions that a daemon opens at most, of one connection string.
struct SessionUse {
    /// Of the check's result.
    var name: String
    /// Where the connection string is from.
    var key: String
    /// nil: `database.url`, or the embedded database.
    var url: String?
    var sessions: Int
    /// What for.
    var parts: String
    /// Settings that say how many.
    var lowering: String
    /// What does not work while this database does not answer, and what to do.
    var withoutIt = ""
}
