package import MillracePostgres

/// The database that knows users by name.
package struct IdentityConfiguration: Sendable {
    /// A look-up is one query for all that a page wants.
    package static let connectionsMax = 2

    /// libpq's keywords or URI; empty: there is none.
    @Unprinted package var databaseURL: String = ""
    /// Users that are remembered, unknown ones too.
    package var cacheEntries = 10_000
    package var cacheLifetime = Duration.seconds(600)
    /// Of a look-up, connecting included; after one that failed, none is tried for as long as `retryAfter`.
    package var timeout = Duration.seconds(1)
    package var retryAfter = Duration.seconds(5)

    package init() {}
}
