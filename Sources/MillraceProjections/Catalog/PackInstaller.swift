internal import MillraceJSON
package import MillracePostgres

/// Makes and removes the versions of packs in the database. Blocks; the connection must be idle, and its role must own
/// the schema `projections`.
package struct PackInstaller {
    /// What was done about one pack.
    package enum Outcome: Sendable, Equatable {
        case alreadyThere
        /// From an earlier version, in place.
        case upgraded(from: Int)
        /// Live at once: the ledger was empty.
        case live
        /// The ledger holds batches that a rebuild has to fold first.
        case building(batches: Int)
    }

    private let connection: PostgresConnection
    private let lock: ProjectionsLock

    package init(connection: PostgresConnection) {
        self.connection = connection
        lock = ProjectionsLock(connection: connection)
    }

    /// Makes the first version of each pack that has none, each in a transaction of its own; any number of daemons may
    /// ask at once. What differs from a version that is there is left alone (see `PackStanding`), except where a
    /// `PackUpgrade` leads to it.
    @discardableResult
    package func install(_ packs: [PackDefinition]) throws -> [(pack: PackDefinition, outcome: Outcome)] {
        var outcomes: [(pack: PackDefinition, outcome: Outcome)] = []
        for pack in packs {
            outcomes.append((pack, try install(pack)))
            try complete(pack)
        }
        try pinRoutines()
        try RowProtection.complete(on: connection)
        return outcomes
    }

    /// Corrects the functions of versions that were made before the engine set their path.
    private func pinRoutines() throws {
        let objects = VersionObjects(connection: connection)
        guard try objects.hasUnpinnedRoutines else { return }
        try lock.alone {
            for version in try PackVersion.all(connection) {
                let entries = try connection.query(
                    "SELECT unnest(objects) FROM projections.versions WHERE id = $1::integer",
                    parameters: [.integer(version.id)])
                try objects.pinRoutines(
                    in: version.schema, only: (0..<entries.rowCount).compactMap { entries.string($0, 0) })
            }
        }
    }

    /// Makes what versions from before there was any lack: histories and views.
    private func complete(_ pack: PackDefinition) throws {
        try complete(pack) { version in
            let tables = try CatalogTable.read(schema: version.schema, prefix: pack.name + "_", on: connection)
            return !HistoryTables.missing(pack, tables).isEmpty
        } make: { version in
            try HistoryTables.complete(version, of: pack, on: connection)
        }
        try complete(pack) { version in
            try ReadingViews.areMissing(pack, schema: version.schema, on: connection)
        } make: { version in
            try ReadingViews.install(pack, schema: version.schema, on: connection)
        }
        try complete(pack) { version in
            try ErasureTriggers.areMissing(pack, schema: version.schema, on: connection)
        } make: { version in
            try ErasureTriggers.install(pack, schema: version.schema, on: connection)
        }
    }

    /// `make` returns the names of the relations that it made, alone.
    private func complete(
        _ pack: PackDefinition, where isLacking: (PackVersion) throws -> Bool, make: (PackVersion) throws -> [String]
    ) throws {
        let versions = try PackVersion.all(of: pack.name, connection)
        for version in [versions.live, versions.building].compactMap({ $0 }) where version.isMade(from: pack) {
            guard try isLacking(version) else { continue }
            try lock.alone {
                guard try PackVersion.all(connection).contains(where: { $0.id == version.id }) else { return }
                let made = try make(version)
                try RowProtection.complete(on: connection)
                try connection.query(
                    "UPDATE projections.versions SET objects = objects || $2::text[] WHERE id = $1::integer",
                    parameters: [.integer(version.id), .array(made.map { "relation \($0)" })])
            }
        }
    }

    private func install(_ pack: PackDefinition) throws -> Outcome {
        // Without the lock first: each start of a daemon asks.
        let versions = try PackVersion.all(of: pack.name, connection)
        if versions.live != nil || versions.building != nil {
            guard PackUpgrade(of: versions.live, to: pack) != nil else { return .alreadyThere }
            return try upgrade(pack)
        }
        return try lock.alone {
            let versions = try PackVersion.all(of: pack.name, connection)
            guard versions.live == nil, versions.building == nil else { return .alreadyThere }
            let batches = try ledgerCount()
            let id = try make(pack, batches: batches)
            try AuditLog.record(
                .packInstall, pack.name, after: ["version": .integer(pack.version)], on: connection)
            guard batches == 0 else { return .building(batches: batches) }
            try putLive(id, of: pack.name, replacing: nil)
            return .live
        }
    }

    private func upgrade(_ pack: PackDefinition) throws -> Outcome {
        do {
            return try lock.alone {
                let live = try PackVersion.all(of: pack.name, connection).live
                guard let live, let upgrade = PackUpgrade(of: live, to: pack) else { return .alreadyThere }
                try upgrade.run(on: connection)
                try AuditLog.record(
                    .packUpgrade, pack.name, before: ["version": .integer(live.version)],
                    after: ["version": .integer(pack.version)], on: connection)
                try RowProtection.complete(on: connection)
                return .upgraded(from: live.version)
            }
        } catch let error as PostgresError where error.sqlState == .dataCorrupted {
            // A rebuild makes the sketches from the rows.
            return .alreadyThere
        }
    }

    /// Batches in the ledger.
    func ledgerCount() throws(PostgresError) -> Int {
        try connection.execute("SELECT COALESCE(sum(batches), 0) FROM public.ingest_batches").int(0, 0) ?? 0
    }

    /// Makes the tables of a version to be built, in a schema of its own. In a transaction that holds the lock alone.
    ///
    /// - Returns: the version's id.
    func make(_ pack: PackDefinition, batches: Int) throws -> Int32 {
        let schema = PackVersion.nextSchema(of: pack.name)
        try makeAsWriter()
        try connection.execute("CREATE SCHEMA \(schema)")
        try runSQL(of: pack, in: schema)
        let objects = VersionObjects(connection: connection)
        let extensions = try objects.extensions(in: schema)
        guard extensions.isEmpty else {
            throw ProjectionsError(
                .invalidSQL, pack: pack.name,
                "its up.sql makes the extension \(extensions.joined(separator: ", ")) among its tables",
                hint: "Write CREATE EXTENSION IF NOT EXISTS … SCHEMA public.")
        }
        try objects.pinRoutines(in: schema, only: nil)
        try RowProtection.complete(on: connection)
        _ = try FoldTarget.load(versionID: 0, schema: schema, pack: pack, isNew: true, on: connection)
        let made = try connection.query(
            """
            INSERT INTO projections.versions (
                pack, version, definition_hash, schema_name, state, batches_total, objects
            )
            VALUES ($1, $2::integer, $3, $4, 'building', $5::bigint, $6::text[])
            RETURNING id
            """,
            parameters: [
                .text(pack.name), .integer(pack.version), .text(pack.hash), .text(schema), .integer(batches),
                .array(try objects.entries(in: schema)),
            ])
        return Int32(truncatingIfNeeded: made.int(0, 0) ?? 0)
    }

    /// What is made in this transaction from here on belongs to the role millrace_writer where the catalog does, so that
    /// every member can go on with it.
    private func makeAsWriter() throws(PostgresError) {
        let isOther = try connection.execute(
            """
            SELECT pg_catalog.pg_get_userbyid(relowner) = 'millrace_writer' AND current_user <> 'millrace_writer'
            FROM pg_catalog.pg_class WHERE oid = 'projections.versions'::regclass
            """)
        if isOther.bool(0, 0) == true { try connection.execute("SET LOCAL ROLE millrace_writer") }
    }

    /// Runs up.sql in `schema` and adds what the engine makes, then checks the tables against the folds.
    func runSQL(of pack: PackDefinition, in schema: String) throws {
        try run(pack.upSQL, "up.sql", of: pack, in: schema)
        try making(
            "the tables of its cascades", of: pack,
            hint: "Correct the tables in up.sql; names that end with __deaths, __dying or __moves are the engine's."
        ) { () throws(PostgresError) in
            try CascadeTables.install(pack, schema: schema, on: connection)
        }
        try making(
            "the triggers of its counts or the views of its tables", of: pack,
            hint: "Correct the folds and their counts in pack.toml, or their tables in up.sql."
        ) { () throws(PostgresError) in
            try StatusCountsSQL.install(pack, schema: schema, on: connection)
            _ = try ReadingViews.install(pack, schema: schema, on: connection)
        }
        try making(
            "the histories of its entities", of: pack,
            hint: "Correct the entities' tables in up.sql; what is named …__events or …__values is the engine's."
        ) { () throws(PostgresError) in
            try HistoryTables.install(pack, schema: schema, on: connection)
            try ErasureTriggers.install(pack, schema: schema, on: connection)
        }
    }

    /// What the engine makes beside the pack's own. `hint`: when the pack's is in its way.
    private func making(
        _ what: String, of pack: PackDefinition, hint: String, _ body: () throws(PostgresError) -> Void
    ) throws {
        do throws(PostgresError) {
            try body()
        } catch {
            guard error.category != .retry else { throw error }
            throw ProjectionsError(
                .invalidSQL, pack: pack.name, "\(what) can't be made: \(error.message)", hint: hint)
        }
    }

    private func run(_ sql: String, _ file: String, of pack: PackDefinition, in schema: String) throws {
        try connection.execute("SET LOCAL search_path = \(VersionObjects.searchPath(schema))")
        do throws(PostgresError) {
            try connection.execute(sql, timeout: .seconds(600))
        } catch {
            guard error.category != .retry else { throw error }
            throw ProjectionsError(
                .invalidSQL, pack: pack.name,
                "its \(file) failed: \(error.message) (\(error.sqlState?.rawValue ?? "no SQLSTATE"))",
                hint: "Correct the pack's \(file).")
        }
        try connection.execute("SET LOCAL search_path TO DEFAULT")
    }

    /// Puts the version `id` in the place of the live one, whose objects are dropped; what was granted on them stays.
    /// In a transaction that holds the lock alone; waits for readers of both versions' tables.
    func putLive(_ id: Int32, of pack: String, replacing old: PackVersion?) throws {
        let objects = VersionObjects(connection: connection)
        let next = PackVersion.nextSchema(of: pack)
        let grants = try VersionGrants(ofLive: pack, connection: connection)
        let kept = old == nil ? [] : try LastingRoutines(connection: connection).replace(of: pack, from: next)
        if let old { try drop(old, except: Set(kept)) }
        try objects.move(from: next, to: PackVersion.liveSchema, only: nil)
        if !kept.isEmpty { try objects.pinRoutines(in: PackVersion.liveSchema, only: kept) }
        try grants.apply()
        try RowProtection.complete(on: connection)
        try connection.execute("DROP SCHEMA \(next)")
        try connection.query(
            """
            UPDATE projections.versions
            SET state = 'live', schema_name = $2, built_at = now(), batches_done = batches_total
            WHERE id = $1::integer
            """, parameters: [.integer(id), .text(PackVersion.liveSchema)])
    }

    /// Removes a version, tables and all, but for the live objects that `kept` names. In a transaction that holds the lock
    /// alone.
    func drop(_ version: PackVersion, except kept: Set<String> = []) throws {
        var schema = version.schema
        if version.state == .live {
            let entries = try connection.query(
                "SELECT unnest(objects) FROM projections.versions WHERE id = $1::integer",
                parameters: [.integer(version.id)])
            let objects = VersionObjects(connection: connection)
            schema = "projections_\(version.pack)_old"
            try connection.execute("CREATE SCHEMA \(schema)")
            try objects.move(
                from: version.schema, to: schema,
                only: (0..<entries.rowCount).compactMap { entries.string($0, 0) }.filter { !kept.contains($0) })
            let views = try objects.dependentViews(on: schema)
            guard views.isEmpty else {
                throw ProjectionsError(
                    .dependentView, pack: version.pack,
                    "\(views.joined(separator: ", ")) reads tables of the version that has to go",
                    hint: "Drop the view, run this again, and make the view again.")
            }
        }
        // CASCADE within the schema only: nothing outside reads it.
        try connection.execute("DROP SCHEMA \(schema) CASCADE")
        try connection.query(
            "DELETE FROM projections.parked WHERE version_id = $1::integer", parameters: [.integer(version.id)])
        try connection.query(
            "DELETE FROM projections.versions WHERE id = $1::integer", parameters: [.integer(version.id)])
    }

    /// Removes every version of every pack, data included; the migrations that made the catalog can then be undone.
    ///
    /// - Parameter packs: whose down.sql is run where it is that of the live version.
    /// - Returns: the names of the packs.
    @discardableResult
    package func removeAll(_ packs: [PackDefinition]) throws -> [String] {
        guard try PackVersion.isCatalogThere(connection) else { return [] }
        return try lock.alone {
            let versions = try PackVersion.all(connection)
            for version in versions {
                if let pack = packs.first(where: version.isMade(from:)) {
                    try connection.execute(
                        ReadingViews.removal(of: pack, schema: version.schema)
                            + StatusCountsSQL.removal(of: pack, schema: version.schema))
                    try connection.execute(HistoryTables.removal(of: pack, schema: version.schema))
                    try connection.execute(CascadeTables.removal(of: pack, schema: version.schema))
                    try run(pack.downSQL, "down.sql", of: pack, in: version.schema)
                }
                try drop(version)
                try AuditLog.record(
                    .packRemove, version.pack,
                    before: ["version": .integer(version.version), "state": .string(version.state.rawValue)],
                    on: connection)
            }
            return Set(versions.map(\.pack)).sorted()
        }
    }
}
