internal import MillraceConsole
internal import MillraceDaemon
internal import MillraceEvent
internal import MillraceJSON
internal import MillracePostgres
internal import MillraceProjections

/// Takes seeds away: their rows, and what projections hold of them. Blocks; a daemon may run or not.
///
/// A count can be lowered, but what a distinct value, a ranking or the state of a thing would be without an event can only
/// be told from the others. So the rows go first, and the packs that hold them are rebuilt from those that are left: the
/// result is that of a database which never had them.
///
/// 1. In one transaction, while no batch is under way: the rows are deleted, and the ledger's row counts their sequences as
///    skipped. The audit balances from here on.
/// 2. Each pack is rebuilt; readers see the old tables until its new ones are whole.
/// 3. The ledger's row goes.
///
/// Killed at any point, the next run goes on: the ledger's row is there until all is done.
struct SeedRemoval {
    let connection: PostgresConnection
    /// All that are loaded.
    let packs: [PackDefinition]
    let limits: EventLimits

    struct Outcome {
        var events = 0
        var conversations = 0
    }

    /// The packs that hold rows of these seeds, in the order of `packs`. Throws when one can't be rebuilt.
    func affected(_ seeds: [PackSeed]) throws -> [PackDefinition] {
        let versions = try PackVersion.all(connection)
        var names: Set<String> = []
        var isBegun = true
        for seed in seeds {
            guard let standing = try SeedStanding(seed, on: connection) else { continue }
            isBegun = isBegun && standing.isBeingRemoved
            let held = Set(versions.filter { standing.folded.contains($0.id) }.map(\.pack))
            let types = try types(of: seed, standing)
            for name in held {
                guard let pack = packs.first(where: { $0.name == name }) else {
                    throw refusal("pack \(name) may hold them, and projections.packs does not name it", "Add it there")
                }
                if pack.folds.contains(where: { takes($0, types) }) { names.insert(name) }
            }
        }
        let affected = packs.filter { names.contains($0.name) }
        for pack in affected { try requireRebuildable(pack, versions, isBegun: isBegun) }
        return affected
    }

    /// `isBegun`: the rows are gone, so that what is being built lacks them.
    private func requireRebuildable(_ pack: PackDefinition, _ versions: [PackVersion], isBegun: Bool)
        throws(CommandError)
    {
        let standing = PackStanding.all([pack], versions).first { $0.pack == pack.name }
        guard let standing, standing.isFolded else {
            throw refusal(
                "pack \(pack.name) is \(standing?.state.rawValue ?? "missing")",
                standing?.warning?.fix ?? "Run `millrace migrate up`")
        }
        guard standing.building == nil || isBegun else {
            throw refusal(
                "pack \(pack.name) is being rebuilt",
                "Let `millrace projections rebuild \(pack.name)` end, or end it with --abandon")
        }
    }

    /// nil: conversation saves.
    private func types(of seed: PackSeed, _ standing: SeedStanding) throws -> Set<String?> {
        let stored = try connection.execute(
            """
            SELECT DISTINCT event_type
            FROM public.analytics_events AS event
            WHERE \(standing.condition(on: "event"))
            """)
        let now = Set(
            try seed.rows(limits: limits, now: .now).map { row in
                row.table == .conversations ? nil : row.columns.first?.value
            })
        return now.union((0..<stored.rowCount).map { stored.string($0, 0) })
    }

    private func takes(_ fold: FoldDefinition, _ types: Set<String?>) -> Bool {
        guard case .events(let patterns) = fold.source else { return types.contains(nil) }
        var all = patterns
        if case .entity(let entity) = fold.kind { all += entity.deletes + entity.patches }
        return types.contains { type in type.map { type in all.contains { $0.matches(type) } } ?? false }
    }

    /// `rebuild`: of one pack, to its end.
    func run(_ seeds: [PackSeed], rebuild: (PackDefinition) throws -> Void) throws -> [String: Outcome] {
        for pack in try affected(seeds) { try SealedMonths(pack: pack, connection: connection).check() }
        let begun = try ProjectionsLock(connection: connection).alone { try begin(seeds) }
        for pack in begun.affected { try rebuild(pack) }
        try connection.transaction { () throws(PostgresError) in
            let spools: [PostgresParameter?] = [.array(seeds.map { "\($0.spoolID)" })]
            try connection.query(
                "DELETE FROM public.ingest_batches WHERE spool_id = ANY ($1::uuid[])", parameters: spools)
            try connection.query(
                "DELETE FROM public.ingest_spools WHERE spool_id = ANY ($1::uuid[])", parameters: spools)
        }
        return begun.outcomes
    }

    /// The first step, in the open transaction.
    private func begin(_ seeds: [PackSeed]) throws -> (outcomes: [String: Outcome], affected: [PackDefinition]) {
        let affected = try affected(seeds)
        var outcomes: [String: Outcome] = [:]
        for seed in seeds {
            guard let standing = try SeedStanding(seed, on: connection) else { continue }
            outcomes[seed.pack.name] = try delete(seed, standing)
        }
        return (outcomes, affected)
    }

    private func delete(_ seed: PackSeed, _ standing: SeedStanding) throws -> Outcome {
        try connection.execute(
            """
            DELETE FROM public.event_ids AS known
            USING public.analytics_events AS event
            WHERE known.id = event.id AND known.tenant_id = event.tenant_id AND known.created_at = event.created_at
                AND \(standing.condition(on: "event"))
            """)
        // The packs are rebuilt without these rows.
        try connection.execute("SET LOCAL millrace.conversations = 'by hand'")
        let counts = try PartitionedTable.allCases.map { table in
            try connection.execute(
                "DELETE FROM public.\(table.rawValue) AS row WHERE \(standing.condition(on: "row"))"
            ).affectedRows
        }
        guard counts.reduce(0, +) == standing.rows else {
            throw refusal(
                "of \(standing.rows) rows of \(seed.pack.name) only \(counts.reduce(0, +)) are left",
                "Restore their month (`millrace partitions list`), or the rows from a backup")
        }
        try connection.query(
            """
            UPDATE public.ingest_batches
            SET skipped = skipped + rows, rows = 0, conversation_rows = 0
            WHERE spool_id = $1::uuid
            """, parameters: [.text("\(seed.spoolID)")])
        let outcome = Outcome(
            events: standing.rows - standing.conversations, conversations: standing.conversations)
        // Again after an interruption there is nothing left to delete.
        if standing.rows > 0 {
            try AuditLog.record(
                .seedRemove, seed.pack.name,
                before: ["events": .integer(outcome.events), "conversations": .integer(outcome.conversations)],
                on: connection)
        }
        return outcome
    }

    private func refusal(_ reason: String, _ hint: String) -> CommandError {
        CommandError("nothing was done: seeds can't be taken away cleanly: \(reason)", hint: hint)
    }
}
