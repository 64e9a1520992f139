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
