package import MillraceAccess
package import MillraceChannels
package import MillraceEvent

/// What the reading routes read from; outlives a reload of the tokens' keys.
package struct Reading: Sendable {
    /// A reload replaces it.
    package var configuration: ReadConfiguration
    package let servers: ReadServers
    /// Where functions that write are called.
    package let writing: ReadPool
    package let catalog: PackCatalog
    package let identity: IdentityDirectory
    /// Of the pack `product`.
    package let reports = KnownReports()
    /// Whether the writers reach the database.
    package let isWriting: @Sendable () -> Bool

    package init(
        configuration: ReadConfiguration, servers: ReadServers, writing: ReadPool, catalog: PackCatalog,
        identity: IdentityDirectory,
        isWriting: @escaping @Sendable () -> Bool
    ) {
        self.configuration = configuration
        self.servers = servers
        self.writing = writing
        self.catalog = catalog
        self.identity = identity
        self.isWriting = isWriting
    }
}

/// What all reading routes share: sections of config.toml as they are, and what the daemon found at its start.
package struct ReadConfiguration: Sendable {
    package var api = APIConfiguration()
    package var identity = IdentityConfiguration()
    package var routes = RoutesConfiguration()
    /// Events and saves whose numbers print as more than `payloadTextBytes` are not read (`PrintedSize`).
    package var limits = LimitsConfiguration()
    /// What pages hold while they are made.
    package var memory = MemoryBudget()
    /// What is done with conversation saves, and which paths have a blind index; nil: nothing is listed.
    package var fields: FieldTreatment?
    /// Open encrypted values; nil: there are none.
    package var fieldKeys: FieldKeys?
    /// Signs cursors.
    package var cursorKey = CursorKey()
    /// Opens the positions of `after`, and gives those of saves; nil: there are none.
    package var positions: PositionSeal?

    package init() {}
}
