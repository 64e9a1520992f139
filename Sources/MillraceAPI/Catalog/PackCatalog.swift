internal import HTTPTypes
internal import Logging
internal import MillracePostgres
package import MillraceProjections
internal import MillraceRoutes
internal import Synchronization

/// The live packs, asked of the database at most every few seconds.
package final class PackCatalog: Sendable {
    /// A pack that was installed or switched is seen after at most this.
    private static let lifetime = Duration.seconds(5)

    /// Of the packs that this daemon loads.
    package let definitions: [PackDefinition]
    let servers: ReadServers
    /// By server: a replica may not have a version yet that the primary shows.
    private let known = Mutex<[Int: (packs: LivePacks, loadedAt: ContinuousClock.Instant)]>([:])

    /// `definitions`: of the packs that this daemon loads.
    package init(definitions: [PackDefinition], servers: ReadServers) {
        self.definitions = definitions
        self.servers = servers
    }

    /// Throws as the pool does.
    func live(_ route: HTTPRoute, isFresh: Bool = false) async throws -> LivePacks {
        let server = ReadPlace.currentServer
        let kept = known.withLock { $0[server] }
        if let kept, !isFresh, ContinuousClock.now - kept.loadedAt < Self.lifetime { return kept.packs }
        let definitions = definitions
        let packs = try await servers.read(route) { try LivePacks(definitions: definitions, on: $0) }
        known.withLock { $0[server] = (packs, .now) }
        return packs
    }

    /// Runs `body` with what is live. When it throws that a table or column is not there, or `APIProblem` of a missing
    /// pack, the catalog may be old: it is read again, and `body` runs once more.
    func read<Answer>(
        _ route: HTTPRoute, _ body: (LivePacks) async throws -> Answer
    ) async throws -> Answer {
        let packs = try await live(route)
        do {
            return try await body(packs)
        } catch let error as PostgresError where error.sqlState?.category == "42" {
            return try await body(live(route, isFresh: true))
        } catch let problem as APIProblem where problem.code == Self.notInstalled {
            return try await body(live(route, isFresh: true))
        }
    }

    /// Throws `APIProblem`.
    func pack(_ name: String, in packs: LivePacks) throws(APIProblem) -> LivePacks.Pack {
        if let pack = packs.packs[name] { return pack }
        guard definitions.contains(where: { $0.name == name }) else {
            let names = definitions.map(\.name)
            let hint = names.isEmpty ? "none is" : "there are \(names.sorted().joined(separator: ", "))"
            throw APIProblem(
                .notFound, "unknown_pack",
                "no pack of this name is loaded; \(hint). Add it to projections.packs and restart the daemon")
        }
        throw APIProblem(
            .notFound, Self.notInstalled,
            "this pack has no tables yet: the daemon makes them when it starts with a database it may change; see its "
                + "log and `millrace projections list`")
    }

    /// Throws `APIProblem`.
    func table(_ name: String, in packs: LivePacks) throws(APIProblem) -> CatalogTable {
        if let table = packs.tables[name] { return table }
        throw APIProblem(
            .notFound, Self.notInstalled,
            "the version of this pack that is live has no table for this; run `millrace projections rebuild`")
    }

    /// Throws `APIProblem`.
    func fold(_ name: String, of pack: LivePacks.Pack, _ kind: String) throws(APIProblem) -> FoldDefinition {
        if let fold = pack.definition.folds.first(where: { $0.name == name }), fold.kindName == kind { return fold }
        throw noFold(pack.definition.folds.filter { $0.kindName == kind }.map(\.name), kind)
    }

    func noFold(_ known: [String], _ kind: String) -> APIProblem {
        let hint = known.isEmpty ? "it has none" : "there are \(known.joined(separator: ", "))"
        return APIProblem(.notFound, "unknown_fold", "the pack has no \(kind) of this name; \(hint)")
    }

    private static let notInstalled = "pack_not_installed"
}

extension FoldDefinition {
    /// As pack.toml names it.
    var kindName: String {
        switch kind {
        case .counter: "counter"
        case .top: "top"
        case .unique: "unique"
        case .entity: "entity"
        case .append: "append"
        }
    }
}
