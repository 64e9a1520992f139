internal import ArgumentParser
internal import MillraceConfiguration
internal import MillraceConsole
internal import MillracePostgres
internal import MillraceProjections
internal import MillraceSpool
internal import MillraceWriter

/// `millrace migrate`: the schema.
struct MigrateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "migrate",
        abstract: "Move the database's schema up and down.",
        discussion: """
            Every migration is one transaction under a lock, so any number of these may run at once. `serve --embedded` \
            migrates its own database; with another one, a daemon that finds no tables spools on until they are there.

            Example:
              millrace migrate up
              millrace migrate status --json
            """,
        subcommands: [
            Up.self, Down.self, Status.self, History.self, Reset.self, MigrateSeed.self, MigrateUnseed.self,
            MigrateIdentitySQL.self,
        ]
    )

    /// What one run did.
    struct Report: Encodable {
        struct Entry: Encodable {
            var version: Int
            var title: String
        }

        var undone: [Entry] = []
        var applied: [Entry] = []
        /// Packs whose tables were made.
        var installed: [String] = []
        /// Packs whose tables went with what was undone.
        var removed: [String] = []
        /// Tables that were spread over the workers of a Citus cluster.
        var distributed: [String] = []
        /// Segments that were removed from the spool.
        var segments = 0

        init(
            undone: [Migration] = [], applied: [Migration] = [], installed: [String] = [], removed: [String] = [],
            distributed: [DistributedTable] = [], segments: Int = 0
        ) {
            self.distributed = distributed.map(\.rawValue)
            self.installed = installed
            self.removed = removed
            self.segments = segments
            self.undone = undone.map { Entry(version: $0.version, title: $0.title) }
            self.applied = applied.map { Entry(version: $0.version, title: $0.title) }
        }

        var text: String {
            let count = undone.count + applied.count
            let packs = installed.count + removed.count
            if count + packs + distributed.count == 0 { return "nothing to do: the schema is where you want it" }
            return "\(count) migrations done" + (packs == 0 ? "" : ", \(packs) packs")
                + (distributed.isEmpty ? "" : ", \(distributed.count) tables distributed")
                + (segments == 0 ? "" : ", \(segments) segments removed from the spool")
        }
    }
}

extension MigrateCommand {
    struct Up: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Apply what is pending, and make the tables of projections.packs.",
            discussion: """
                Daemons may write meanwhile: what wants a lock tries for half a second at a time, and says whom it waits for. \
                It may be interrupted and run again. With --to the packs are left alone. With database.distribution = \
                "citus" it also spreads events and conversations over the cluster's workers, months and rows that are there \
                included; batches wait in the spool meanwhile.

                Example:
                  millrace migrate up
                  millrace migrate up --to 4
                """)

        @OptionGroup var options: ConfigurationOptions
        @Option(help: "The last version to apply.") var to: Int?
        @Option(help: "How long one migration is tried while others hold what it locks, such as 30s or 2h.")
        var wait = Age(argument: "10m") ?? Age(hours: 1)
        @Flag(help: "What was done as JSON.") var json = false

        func run() throws {
            let context = try options.context()
            let packs = to == nil ? try context.packs() : []
            let connection = try context.connect()
            var meter = ProgressMeter(isQuiet: json)
            let migrator = Migrator(connection: connection, patience: .seconds(wait.seconds))
            let applied = try migrator.up(
                to: to,
                progress: { migration in
                    meter.finish()
                    if !json { Console.out("applied \(migration.name)") }
                },
                onWait: { wait in
                    meter.update(count: wait.tries) { elapsed, _ in
                        "\(wait.migration.name) waits for \(wait.tables)\(wait.heldBy); try \(wait.tries), "
                            + Format.duration(elapsed)
                    }
                })
            meter.finish()
            let installed = try PackSteps(connection: connection, packs: packs).install(isQuiet: json)
            let distributed = to == nil ? try distribute(context, connection, isQuiet: json) : []
            try finish(Report(applied: applied, installed: installed, distributed: distributed), json: json)
        }
    }

    struct Down: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Undo the newest migrations, their data included.",
            discussion: "Stop the daemon first.\n\nExample:\n  millrace migrate down --steps 2")

        @OptionGroup var options: ConfigurationOptions
        @Option(help: "How many.") var steps: Int = 1
        @Flag(help: "What was done as JSON.") var json = false

        func validate() throws {
            guard steps > 0 else { throw ValidationError("--steps is at least 1.") }
        }

        func run() throws {
            let context = try options.context()
            let connection = try context.connect()
            let removed = try PackSteps(connection: connection, packs: try context.packs())
                .remove(beforeUndoing: steps, isQuiet: json)
            let undone = try Migrator(connection: connection).down(count: steps) {
                if !json { Console.out("undid \($0.name)") }
            }
            try finish(Report(undone: undone, removed: removed), json: json)
        }
    }

    struct Reset: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Delete everything that Millrace has in the database and the spool; apply all migrations again.",
            discussion: """
                Stop the daemon first. Refuses without --yes, and says what would go. A spool that stayed would be written \
                into the new tables at the next start, so its segments go too; those of a daemon on another host have to be \
                removed there.

                Example:
                  millrace migrate reset --yes
                """)

        @OptionGroup var options: ConfigurationOptions
        @Flag(help: "Yes, delete every event, conversation, ledger row and dead letter, and the spool.") var yes = false
        @Flag(help: "Leave the spool: what it still holds is written into the new tables at the next start.")
        var keepSpool = false
        @Flag(help: "What was done as JSON.") var json = false

        func run() throws {
            let context = try options.context()
            let connection = try context.connect()
            let migrator = Migrator(connection: connection)
            let packs = PackSteps(connection: connection, packs: try context.packs())
            let spool = keepSpool ? nil : try context.spoolSnapshot(verifiesPayloads: false)
            let isOwn = try spool.map { try Self.isKnown($0, connection) } ?? false
            guard yes else {
                throw CommandError(
                    "nothing was done: reset would delete \(try Self.contents(connection)), and "
                        + (keepSpool ? "leave the spool" : Self.contents(spool, isOwn: isOwn, context)),
                    hint: "Run `millrace migrate reset --yes` if that is what you want")
            }
            // Before anything is gone: it says so when the daemon still runs.
            let reset = isOwn ? try SpoolReset(directory: context.spoolDirectory) : nil
            if let spool, !isOwn, !json { Console.out("left: " + Self.strange(spool, context)) }
            let removed = try packs.remove(beforeUndoing: .max, isQuiet: json)
            let applied = try migrator.reset { if !json { Console.out("applied \($0.name)") } }
            let installed = try packs.install(isQuiet: json)
            let distributed = try distribute(context, connection, isQuiet: json)
            let segments = try reset?.run() ?? 0
            try finish(
                Report(
                    applied: applied, installed: installed, removed: removed, distributed: distributed,
                    segments: segments), json: json)
        }

        /// What would be deleted, for a sentence: `about 1,200 rows of … in database "millrace"`.
        private static func contents(_ connection: PostgresConnection) throws(PostgresError) -> String {
            let database = try connection.execute("SELECT current_database()").string(0, 0) ?? ""
            let partitions = try Partitions(connection: connection).list()
            let parts = PartitionedTable.allCases.map { table in
                let rows = partitions.filter { $0.table == table }.reduce(0) { $0 + $1.rowsEstimate }
                return "about \(Format.count(rows)) rows of \(table.rawValue)"
            }
            return parts.joined(separator: ", ") + ", the ledger and the dead letters, in database \"\(database)\""
        }

        /// Whether the spool's daemon has written into this database.
        private static func isKnown(_ spool: SpoolSnapshot, _ connection: PostgresConnection) throws(PostgresError)
            -> Bool
        {
            guard try connection.hasRelation("public.ingest_spools") else { return false }
            let found = try connection.query(
                "SELECT EXISTS (SELECT FROM public.ingest_spools WHERE spool_id = $1::uuid)",
                parameters: [.text("\(spool.spoolID)")])
            return found.bool(0, 0) == true
        }

        private static func strange(_ spool: SpoolSnapshot, _ context: CommandContext) -> String {
            "the spool in \(context.spoolDirectory) (\(spool.spoolID)), which has not written into this database"
        }

        private static func contents(_ spool: SpoolSnapshot?, isOwn: Bool, _ context: CommandContext) -> String {
            guard let spool else { return "no spool, because there is none in \(context.spoolDirectory) on this host" }
            guard isOwn else { return "leave " + strange(spool, context) }
            let lines = spool.runs.reduce(0) { $0 + $1.sequences.count }
            return "\(Format.count(lines)) lines (\(Format.size(spool.fileBytes))) of the spool in "
                + "\(context.spoolDirectory), also those that are in no table yet"
        }
    }

    struct Status: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Which migrations are applied, and which packs are installed.",
            discussion:
                "Exit status 1 when a migration is pending, changed or unknown, or a pack missing or changed.\n\nExample:\n  millrace migrate status"
        )

        struct Entry: Encodable {
            var version: Int
            var title: String
            var state: String
            var appliedAt: String?
        }

        struct Pack: Encodable {
            var pack: String
            var version: Int?
            var state: String
        }

        struct Report: Encodable {
            var migrations: [Entry]
            var packs: [Pack]
        }

        @OptionGroup var options: ConfigurationOptions
        @Flag(help: "The report as JSON.") var json = false

        func run() throws {
            let context = try options.context()
            let connection = try context.connect()
            let entries = try Migrator(connection: connection).status().map {
                Entry(version: $0.version, title: $0.title, state: $0.state.rawValue, appliedAt: $0.appliedAt)
            }
            let standings = try PackSteps(connection: connection, packs: try context.packs()).standings()
            if json {
                let packs = standings.map {
                    Pack(pack: $0.pack, version: ($0.live ?? $0.building)?.version, state: $0.state.rawValue)
                }
                try Console.json(Report(migrations: entries, packs: packs))
            } else {
                let rows = entries.map { ["\($0.version)", $0.title, $0.state, $0.appliedAt ?? ""] }
                Console.out(Format.table([["version", "title", "state", "applied at"]] + rows))
                for standing in standings {
                    let version = (standing.live ?? standing.building).map { " version \($0.version)" } ?? ""
                    Console.out("pack \(standing.pack)\(version): \(standing.state.rawValue)")
                }
            }
            let isPending = entries.contains { $0.state != MigrationStatus.State.applied.rawValue }
            if isPending || standings.contains(where: { $0.refusal != nil }) {
                throw ExitCode.failure
            }
        }
    }

    struct History: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Every up and down there was.", discussion: "Example:\n  millrace migrate history --json")

        struct Entry: Encodable {
            var at: String
            var direction: String
            var version: Int
            var title: String
            var role: String
        }

        @OptionGroup var options: ConfigurationOptions
        @Flag(help: "The report as JSON.") var json = false

        func run() throws {
            let entries = try Migrator(connection: try options.context().connect()).history().map {
                Entry(
                    at: $0.at, direction: $0.direction.rawValue, version: $0.version, title: $0.title, role: $0.role)
            }
            if json {
                try Console.json(["history": entries])
            } else {
                let rows = entries.map { [$0.at, $0.direction, "\($0.version)", $0.title, $0.role] }
                Console.out(Format.table([["at", "direction", "version", "title", "role"]] + rows))
            }
        }
    }
}

/// What `database.distribution` asks for and is not there yet.
private func distribute(
    _ context: CommandContext, _ connection: PostgresConnection, isQuiet: Bool
) throws(PostgresError) -> [DistributedTable] {
    guard context.configuration.database.distribution == .citus else { return [] }
    return try TableDistribution(connection: connection).run {
        if !isQuiet { Console.out("distributed \($0.rawValue)") }
    }
}

private func finish(_ report: MigrateCommand.Report, json: Bool) throws {
    if json { try Console.json(report) } else { Console.out(report.text) }
}
