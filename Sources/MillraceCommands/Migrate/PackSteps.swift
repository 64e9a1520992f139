internal import MillraceConsole
internal import MillracePostgres
internal import MillraceProjections

/// The packs' part of `millrace migrate`.
struct PackSteps {
    /// That makes the catalog of projections.
    private static let catalogMigration = 7

    let connection: PostgresConnection
    let packs: [PackDefinition]

    /// Makes the tables of packs that have none, and says so. Returns their names.
    func install(isQuiet: Bool) throws -> [String] {
        guard !packs.isEmpty, try PackVersion.isCatalogThere(connection) else { return [] }
        var names: [String] = []
        for (pack, outcome) in try PackInstaller(connection: connection).install(packs) {
            switch outcome {
            case .alreadyThere: continue
            case .upgraded(let version):
                if !isQuiet { Console.out("upgraded pack \(pack.name) from version \(version) to \(pack.version)") }
            case .live:
                if !isQuiet { Console.out("installed pack \(pack.name), version \(pack.version)") }
            case .building(let batches):
                if !isQuiet {
                    Console.out(
                        "installed pack \(pack.name), version \(pack.version), not live yet: run `millrace projections "
                            + "rebuild \(pack.name)`, which folds the \(Format.count(batches)) batches that are there")
                }
            }
            names.append(pack.name)
        }
        return names
    }

    /// Removes all packs when the newest `count` migrations have their catalog among them. Returns their names.
    func remove(beforeUndoing count: Int, isQuiet: Bool) throws -> [String] {
        let applied = try Migrator(connection: connection).status().filter { $0.state == .applied }.map(\.version)
        guard applied.suffix(min(count, applied.count)).contains(Self.catalogMigration) else { return [] }
        let names = try PackInstaller(connection: connection).removeAll(packs)
        if !isQuiet { for name in names { Console.out("removed pack \(name)") } }
        return names
    }

    /// Empty before the catalog is there.
    func standings() throws(PostgresError) -> [PackStanding] {
        guard try PackVersion.isCatalogThere(connection) else { return [] }
        return PackStanding.all(packs, try PackVersion.all(connection))
    }
}
