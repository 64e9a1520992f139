/// One row of `public.outbox`, as a line of the spool.
struct OutboxRow {
    /// With `createdAt`, the row's key; both as PostgreSQL writes them.
    var id: String
    var createdAt: String
    var tenant: Int32
    /// The event in Millrace's format, or its first bytes when it is too long to be one.
    var line: String
    /// Whether the payload is too large to be read; the line has null in its place.
    var isUnread: Bool
    /// Length of the whole line in UTF-8.
    var lineBytes: Int
}
