package import MillraceChannels

/// What the reading routes read from; outlives a reload of the tokens' keys.
package struct Reading: Sendable {
    package let configuration: ReadConfiguration
    package let pool: ReadPool
    package let catalog: PackCatalog
    package let identity: IdentityDirectory
    /// Whether the writers reach the database.
    package let isWriting: @Sendable () -> Bool

    package init(
        configuration: ReadConfiguration, pool: ReadPool, catalog: PackCatalog, identity: IdentityDirectory,
        isWriting: @escaping @Sendable () -> Bool
    ) {
        self.configuration = configuration
        self.pool = pool
        self.catalog = catalog
        self.identity = identity
        self.isWriting = isWriting
    }
}

/// What all reading routes share.
package struct ReadConfiguration: Sendable {
    package var tenant: Int32 = 0
    /// A page ends when it has become as large.
    package var pageBytesMax = 4 << 20
    /// What pages hold while they are made.
    package var memory = MemoryBudget()
    /// `limits.payload_text_bytes`: events and saves whose numbers print as more are not read (`PrintedSize`).
    package var documentBytesMax = 4 << 20
    /// Users on the dashboard.
    package var topUsersMax = 10
    /// An unhealthy database answers 503.
    package var isStrict = false

    /// Signs cursors.
    package var cursorKey = CursorKey()

    package init() {}
}
