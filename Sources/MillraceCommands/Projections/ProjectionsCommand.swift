internal import ArgumentParser
internal import MillraceConsole
internal import MillracePostgres
internal import MillraceProjections

/// `millrace projections`: the packs' tables.
struct ProjectionsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "projections",
        abstract: "List the packs' versions, rebuild them, count them again, and try parked events again.",
        discussion: """
            Which packs there are is said by projections.packs; `millrace migrate up` makes their tables.

            Example:
              millrace projections list
              millrace projections rebuild analytics
              millrace projections verify
              millrace projections retry-parked
            """,
        subcommands: [
            ProjectionsList.self, ProjectionsRebuild.self, ProjectionsVerify.self, ProjectionsRetryParked.self,
        ]
    )
}

struct ProjectionsList: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "Each pack's versions, tables, and how far they are.",
        discussion: """
            Counts the ledger's batches, so it takes a moment on a long one.

            Exit status: 0 every configured pack is live and current, 1 something is to be done, 2 wrong usage.

            Example:
              millrace projections list --json
            """
    )

    @OptionGroup var options: ConfigurationOptions
    @Flag(help: "The report as JSON.") var json = false

    func run() throws {
        let context = try options.context()
        let report = try ProjectionsReport(packs: try context.packs(), connection: try context.connect())
        if json { try Console.json(report) } else { Console.out(report.text) }
        if !report.ok { throw ExitCode.failure }
    }
}

/// What `millrace projections list` tells.
struct ProjectionsReport: Encodable {
    struct Version: Encodable {
        var version: Int
        /// live or building.
        var state: String
        var schema: String
        var tables: Int
        var bytes: Int
        var batchesFolded: Int
        var batchesTotal: Int
        var parked: Int
        var createdAt: String
        /// When it went live.
        var builtAt: String?

        var lag: Int { batchesTotal - batchesFolded }
    }

    struct Pack: Encodable {
        var pack: String
        var state: String
        var isConfigured: Bool
        var isDefinitionChanged: Bool
        var folds: Int
        /// The version of the pack's files; nil when the pack is not configured.
        var version: Int?
        var versions: [Version]
        var sealedMonths: [String]
        /// nil when there is nothing to do.
        var fix: String?

        private enum CodingKeys: String, CodingKey {
            case pack, state, isConfigured, isDefinitionChanged, folds, version, versions, sealedMonths
            case fix = "mend"
        }
    }

    var ok: Bool
    var packs: [Pack]

    /// Reads the catalog and the ledger. Blocks.
    init(packs: [PackDefinition], connection: PostgresConnection) throws {
        guard try PackVersion.isCatalogThere(connection) else {
            throw ProjectionsError(
                .notMigrated, "the database has no catalog of projections", hint: "Run `millrace migrate up`.")
        }
        let total = try connection.execute(
            "SELECT COALESCE(sum(batches), 0) FROM public.ingest_batches", timeout: .seconds(600)
        ).count(0, 0)
        self.packs = try PackStanding.all(packs, try PackVersion.all(connection)).map { standing in
            let pack = packs.first { $0.name == standing.pack }
            let sealed = try pack.map { try SealedMonths(pack: $0, connection: connection).all() } ?? []
            return Pack(
                pack: standing.pack, state: standing.state.rawValue, isConfigured: pack != nil,
                isDefinitionChanged: standing.state == .changed, folds: pack?.folds.count ?? 0,
                version: pack?.version,
                versions: try [standing.live, standing.building].compactMap { $0 }.map {
                    try Self.version($0, total: total, connection)
                },
                sealedMonths: sealed,
                fix: try standing.refusal?.hint ?? standing.warning?.fix ?? Self.advice(standing, pack, connection))
        }
        ok = self.packs.allSatisfy { $0.fix == nil || !$0.isConfigured }
    }

    /// Of a live version whose tables some events don't fit into.
    private static func advice(
        _ standing: PackStanding, _ pack: PackDefinition?, _ connection: PostgresConnection
    ) throws -> String? {
        guard standing.isFolded, let live = standing.live, let pack else { return nil }
        do {
            return try FoldTarget.load(versionID: live.id, schema: live.schema, pack: pack, on: connection).advice?.fix
        } catch is PackErrors {
            // `check` tells what of the tables was changed.
            return nil
        }
    }

    private static func version(
        _ version: PackVersion, total: Int, _ connection: PostgresConnection
    ) throws(PostgresError) -> Version {
        let counts = try connection.execute(
            """
            SELECT
                (SELECT COALESCE(sum(batches), 0) FROM public.ingest_batches WHERE folded @> ARRAY[\(version.id)]),
                (SELECT count(*) FROM projections.parked WHERE version_id = \(version.id))
            """, timeout: .seconds(600))
        let tables = try connection.query(
            """
            SELECT count(*), COALESCE(sum(pg_total_relation_size(relation.oid)), 0)::bigint
            FROM pg_catalog.pg_class AS relation
            JOIN projections.versions ON id = $1::integer AND 'relation ' || relname = ANY (objects)
            WHERE relnamespace = to_regnamespace(schema_name) AND relkind IN ('r', 'p')
            """, parameters: [.integer(version.id)])
        return Version(
            version: version.version, state: version.state.rawValue, schema: version.schema,
            tables: tables.count(0, 0), bytes: tables.count(0, 1), batchesFolded: counts.count(0, 0),
            batchesTotal: total, parked: counts.count(0, 1), createdAt: version.createdAt, builtAt: version.builtAt)
    }

    /// For people.
    var text: String {
        var rows = [["pack", "version", "state", "folds", "tables", "size", "batches", "behind", "parked", "sealed"]]
        for pack in packs {
            for version in pack.versions {
                rows.append([
                    pack.pack, "\(version.version)", version.state, "\(pack.folds)", "\(version.tables)",
                    Format.bytes(version.bytes), Format.count(version.batchesFolded), Format.count(version.lag),
                    Format.count(version.parked), "\(pack.sealedMonths.count)",
                ])
            }
            if pack.versions.isEmpty {
                rows.append([pack.pack, "\(pack.version ?? 0)", pack.state, "\(pack.folds)"])
            }
        }
        let notes = packs.compactMap { pack in pack.fix.map { "\(pack.pack) is \(pack.state): \($0)" } }
        return ([Format.table(rows)] + notes).joined(separator: "\n")
    }
}
