internal import CMillrace
internal import MillraceConsole
internal import MillraceDaemon
internal import MillraceEvent
internal import MillraceJSON
internal import MillracePostgres
internal import MillraceProjections

/// Puts a pack's seed into the database, as a writer puts a batch: rows, the ledger's row, and the projections in one
/// transaction. Blocks; a daemon may run or not.
///
/// A seed goes in whole or not at all: not where it would change rows of an entity that other events have made, nor where
/// a table refuses one of its own.
struct SeedTransaction {
    struct Outcome {
        var events = 0
        var conversations = 0
        /// Ids that were there, sent otherwise.
        var duplicates = 0
        /// Seeded before.
        var isThere = false
    }

    let connection: PostgresConnection
    /// All that are loaded.
    let packs: [PackDefinition]
    let limits: EventLimits
    let partitions: PartitionOptions

    func run(_ seed: PackSeed) throws -> Outcome {
        let now = Timestamp.now
        let rows = try seed.rows(limits: limits, now: now)
        let months = Partitions(connection: connection, options: partitions)
        for row in rows {
            guard let month = PartitionMonth(microseconds: row.createdAt.microseconds) else { continue }
            try months.ensure(month, of: row.table)
        }
        return try ProjectionsLock(connection: connection).transaction {
            try connection.execute(ProjectionsLock.sharedStatement)
            // Also keeps a second run waiting.
            try connection.query(
                """
                INSERT INTO public.ingest_spools (spool_id, host, version)
                VALUES ($1::uuid, $2, $3)
                ON CONFLICT (spool_id) DO UPDATE SET last_started_at = now()
                """,
                parameters: [.text("\(seed.spoolID)"), .text(seed.host), .text(Version.current)])
            if let standing = try SeedStanding(seed, on: connection) {
                return try outcome(of: standing, seed)
            }
            return try write(rows, of: seed, at: now)
        }
    }

    private func outcome(of standing: SeedStanding, _ seed: PackSeed) throws(CommandError) -> Outcome {
        guard !standing.isBeingRemoved else {
            throw CommandError(
                "the seed of \(seed.pack.name) is being taken away",
                hint: "Run `millrace migrate unseed \(seed.pack.name)`, which goes on, and then this again")
        }
        return Outcome(
            events: standing.rows - standing.conversations, conversations: standing.conversations, isThere: true)
    }

    private func write(_ rows: [ParsedRow], of seed: PackSeed, at now: Timestamp) throws -> Outcome {
        let batchID = BatchID.make(spool: seed.spoolID, firstSequence: 1, at: now)
        let targets = try targets(for: seed)
        var outcome = Outcome()
        let written = try RowInsertion(connection: connection).insert(
            rows.map {
                RowInsertion.Item(row: $0, receivedAt: $0.createdAt, tenant: seed.tenant, batchID: Int(batchID))
            })
        let conversations = rows.count { $0.table == .conversations }
        outcome.conversations = written.count { rows[$0].table == .conversations }
        outcome.events = written.count - outcome.conversations
        outcome.duplicates = rows.count - written.count
        let folded = try fold(rows, batchID, targets, of: seed)
        try connection.query(
            """
            INSERT INTO public.ingest_batches (
                spool_id, first_seq, last_seq, batch_id, rows, duplicates, dead, conversation_rows,
                conversation_duplicates, folded
            ) VALUES ($1::uuid, 1, $2, $3, $4, $5, 0, $6, $7, $8::integer[])
            """,
            parameters: [
                .text("\(seed.spoolID)"), .integer(rows.count), .integer(batchID),
                .integer(outcome.events + outcome.conversations), .integer(outcome.duplicates),
                .integer(outcome.conversations), .integer(conversations - outcome.conversations), .array(folded),
            ])
        guard outcome.events + outcome.conversations > 0 else {
            throw CommandError(
                "nothing was done: all \(rows.count) events of the seed of \(seed.pack.name) are there, sent otherwise",
                hint: "They are not a seed that unseed could take away; send tombstones to delete what they made")
        }
        try AuditLog.record(
            .seedAdd, seed.pack.name,
            after: ["events": .integer(outcome.events), "conversations": .integer(outcome.conversations)],
            on: connection)
        return outcome
    }

    /// Every version that these files make, as a writer folds; the seeded pack's own must be live among them.
    private func targets(for seed: PackSeed) throws -> [FoldTarget] {
        let versions = try PackVersion.all(connection)
        let standing = PackStanding.all([seed.pack], versions).first { $0.pack == seed.pack.name }
        guard let standing, standing.isFolded else {
            throw CommandError(
                "pack \(seed.pack.name) can't be seeded: it is \(standing?.state.rawValue ?? "missing")",
                hint: standing?.warning?.fix ?? "Run `millrace migrate up`.")
        }
        return try versions.compactMap { version in
            guard let pack = packs.first(where: version.isMade(from:)) else { return nil }
            return try FoldTarget.load(versionID: version.id, schema: version.schema, pack: pack, on: connection)
        }
    }

    private func fold(
        _ rows: [ParsedRow], _ batchID: Int64, _ targets: [FoldTarget], of seed: PackSeed
    ) throws -> [Int32] {
        for target in targets {
            for fold in target.pack.folds { try requireOwnRows(fold, target.schema, batchID, rows, seed) }
        }
        let fold = BatchFold(slot: Rebuild.slot)
        fold.begin(targets, gathersSaves: true)
        for table in PartitionedTable.allCases where rows.contains(where: { $0.table == table }) {
            try connection.copyOut(
                """
                COPY (
                    SELECT \(table.encodedColumns)
                    FROM public.\(table.rawValue) AS row
                    WHERE \(Self.condition(on: "row", batchID, rows))
                ) TO STDOUT (FORMAT binary)
                """
            ) { bytes in
                fold.add(table, rows: bytes)
                return true
            }
        }
        try connection.execute("SET LOCAL millrace.slot = \(Rebuild.slot)")
        try ConversationStatuses(batchID: batchID, on: connection).settle(fold)
        let outcome = try fold.apply(batchID: batchID, on: connection)
        if let failure = outcome.failures.first { throw failure.error }
        guard outcome.parkedCount == 0 else { throw try parked(batchID, of: seed) }
        return outcome.folded
    }

    /// Throws when an event of the seed has the key of a row that others made: it would change or delete that row.
    private func requireOwnRows(
        _ fold: FoldDefinition, _ schema: String, _ batchID: Int64, _ rows: [ParsedRow], _ seed: PackSeed
    ) throws {
        guard case .entity(let entity) = fold.kind, case .events(let patterns) = fold.source else { return }
        let types = Set(rows.filter { $0.table == .analyticsEvents }.compactMap { $0.columns.first?.value })
            .filter { type in (patterns + entity.deletes + entity.patches).contains { $0.matches(type) } }
        guard !types.isEmpty else { return }
        let keys = entity.key.map { key in
            let path = key.field.path.map { "\"\($0)\"" }.joined(separator: ",")
            let value = path.isEmpty ? "event.\(key.field.column)::text" : "event.\(key.field.column) #>> '{\(path)}'"
            return "there.\"\(key.column)\"::text = \(value)"
        }
        let names = entity.key.map { "there.\"\($0.column)\"::text" }.joined(separator: " || ',' || ")
        let found = try connection.query(
            """
            WITH event AS MATERIALIZED (
                SELECT *
                FROM public.analytics_events AS event
                WHERE \(Self.condition(on: "event", batchID, rows)) AND event.event_type = ANY ($1::text[])
            )
            SELECT string_agg(DISTINCT key, ' ')
            FROM (
                SELECT \(names) AS key
                FROM event
                JOIN \(schema).\(fold.table) AS there ON there.tenant_id = event.tenant_id
                    AND \(keys.joined(separator: " AND "))
                LIMIT 20
            ) AS found
            """, parameters: [.array(Array(types))])
        guard let taken = found.string(0, 0) else { return }
        throw CommandError(
            "nothing was done: \(fold.table) has rows of your own that the seed of \(seed.pack.name) would change: \(taken)",
            hint: "Seed a database that does not use these keys")
    }

    private func parked(_ batchID: Int64, of seed: PackSeed) throws(PostgresError) -> CommandError {
        let first = try connection.execute(
            """
            SELECT pack || '.' || fold || ': ' || message
            FROM projections.parked
            WHERE batch_id = \(batchID)
            ORDER BY event_at, event_id
            LIMIT 1
            """)
        return CommandError(
            "nothing was done: a table refuses what the seed of \(seed.pack.name) holds: \(first.string(0, 0) ?? "")",
            hint: "Seed a database whose rows don't hold these values, such as names and addresses")
    }

    private static func condition(on name: String, _ batchID: Int64, _ rows: [ParsedRow]) -> String {
        let times = rows.map(\.createdAt)
        return SeedStanding.condition(
            on: name, batchID: batchID, from: times.min() ?? .now, to: times.max() ?? .now)
    }
}
