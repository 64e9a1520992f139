internal import ArgumentParser
internal import MillraceConsole
internal import MillraceEvent
internal import MillracePostgres
internal import MillraceProjections

/// `millrace migrate seed`: events to try packs with.
struct MigrateSeed: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "seed",
        abstract: "Put each pack's example events into the database.",
        discussion: """
            They go in by one transaction a pack, as a batch of a daemon does, whether a daemon runs or not. What is \
            seeded already stays as it is, so a second run adds nothing. Refused where a seed would change a row of your \
            own, or a table refuses it: then nothing of that pack goes in. Wants --yes in a database that holds other events.

            Exit status: 0 the seeds are there, 1 one is not, 2 wrong usage.

            Example:
              millrace migrate seed
              millrace migrate seed workspaces casework
              millrace migrate unseed workspaces
            """
    )

    struct Entry: Encodable {
        var pack: String
        var events: Int
        var conversations: Int
        /// Not put in: their ids are there.
        var duplicates: Int
        var wasThere: Bool
    }

    @OptionGroup var options: ConfigurationOptions
    @Argument(help: "Packs of projections.packs. Default: all that have a seed.") var packs: [String] = []
    @OptionGroup var owner: TenantOption
    @Flag(help: "Yes, also beside events that are no seed.") var yes = false
    @Flag(help: "What was done as JSON.") var json = false

    func run() throws {
        let context = try options.context()
        let connection = try context.connect()
        try requireCatalog(connection)
        let seeds = try PackSeed.all(named: packs, of: try owner.known(on: connection), context)
        if !yes { try askFor(seeds, context, connection) }
        let transaction = SeedTransaction(
            connection: connection, packs: try context.packs(), limits: context.eventLimits,
            partitions: context.partitionOptions)
        var entries: [Entry] = []
        for seed in seeds {
            let outcome = try transaction.run(seed)
            let entry = Entry(
                pack: seed.pack.name, events: outcome.events, conversations: outcome.conversations,
                duplicates: outcome.duplicates, wasThere: outcome.isThere)
            entries.append(entry)
            if !json { Console.out(Self.text(entry)) }
        }
        if json { return try Console.json(["seeded": entries]) }
        let added = entries.filter { !$0.wasThere }
        let count = added.reduce(0) { $0 + $1.events + $1.conversations }
        Console.out("\(Format.count(count)) rows added, of \(added.count) \(added.count == 1 ? "pack" : "packs")")
    }

    private func askFor(_ seeds: [PackSeed], _ context: CommandContext, _ connection: PostgresConnection) throws {
        let contents = try DatabaseContents(on: connection)
        guard contents.foreignRows > 0 else { return }
        let lines = seeds.reduce(0) { $0 + $1.lines.count }
        throw CommandError(
            "nothing was done: seed would put \(lines) example events of \(seeds.map(\.pack.name).joined(separator: ", ")) "
                + "beside \(Format.count(contents.foreignRows)) rows in database \"\(contents.database)\", and every count "
                + "would include them",
            hint: "Run it with --yes if that is what you want; `millrace migrate unseed` takes them away")
    }

    private static func text(_ entry: Entry) -> String {
        var parts = entry.events > 0 ? ["\(entry.events) events"] : []
        if entry.conversations > 0 { parts.append("\(entry.conversations) conversations") }
        let what = parts.joined(separator: ", ")
        if entry.wasThere { return "pack \(entry.pack): seeded before, \(what); nothing added" }
        let duplicates = entry.duplicates == 0 ? "" : "; \(entry.duplicates) were there, sent otherwise"
        return "pack \(entry.pack): \(what) added\(duplicates)"
    }
}

/// `millrace migrate unseed`: takes away what `seed` put in.
struct MigrateUnseed: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "unseed",
        abstract: "Take away what `seed` put in, and nothing else.",
        discussion: """
            Deletes the rows of the seeds and rebuilds the packs that hold them from the rows that are left, so that tables \
            and counts are those of a database which never had them. A daemon may run; readers see the old tables until the \
            new ones are whole. May be stopped at any time: the next run goes on. Refused, with nothing done, where a pack \
            can't be rebuilt: its files changed, or rows of its entities are of months that were retired. Wants --yes in a \
            database that holds other events.

            Exit status: 0 no seed is left, 1 some are, 2 wrong usage.

            Example:
              millrace migrate unseed
              millrace migrate unseed workspaces --yes
            """
    )

    struct Entry: Encodable {
        var pack: String
        var events: Int
        var conversations: Int
    }

    struct Report: Encodable {
        var removed: [Entry]
        var rebuilt: [String]
    }

    @OptionGroup var options: ConfigurationOptions
    @Argument(help: "Packs of projections.packs. Default: all that are seeded.") var packs: [String] = []
    @OptionGroup var owner: TenantOption
    @Flag(help: "Yes, also in a database with events that are no seed.") var yes = false
    @Flag(help: "What was done as JSON.") var json = false

    func run() throws {
        let context = try options.context()
        let connection = try context.connect()
        try requireCatalog(connection)
        let seeds = try PackSeed.all(named: packs, of: owner.tenant, context).filter {
            try SeedStanding($0, on: connection) != nil
        }
        guard !seeds.isEmpty else {
            if json { return try Console.json(Report(removed: [], rebuilt: [])) }
            return Console.out("nothing to do: no pack is seeded")
        }
        let removal = SeedRemoval(
            connection: connection, packs: try context.packs(), limits: context.eventLimits)
        if !yes { try askFor(seeds, removal, context, connection) }
        var rebuilt: [String] = []
        let outcomes = try removal.run(seeds) { pack in
            let report = try Rebuild(connection: connection, pack: pack, joinAge: context.ledgerJoinAge).run { _ in }
            rebuilt.append(pack.name)
            if !json { Console.out("pack \(pack.name): rebuilt from \(Format.count(report.rows)) rows") }
        }
        let entries = seeds.compactMap { seed in
            outcomes[seed.pack.name].map {
                Entry(pack: seed.pack.name, events: $0.events, conversations: $0.conversations)
            }
        }
        if json { return try Console.json(Report(removed: entries, rebuilt: rebuilt)) }
        for entry in entries {
            Console.out("pack \(entry.pack): \(entry.events) events, \(entry.conversations) conversations taken away")
        }
    }

    private func askFor(
        _ seeds: [PackSeed], _ removal: SeedRemoval, _ context: CommandContext, _ connection: PostgresConnection
    ) throws {
        let contents = try DatabaseContents(on: connection)
        guard contents.foreignRows > 0 else { return }
        let affected = try removal.affected(seeds).map(\.name).joined(separator: ", ")
        throw CommandError(
            "nothing was done: unseed would delete the seeds of \(seeds.map(\.pack.name).joined(separator: ", ")) and "
                + "rebuild \(affected) from \(Format.count(contents.foreignRows)) rows in database \"\(contents.database)\"",
            hint: "Run it with --yes if that is what you want")
    }
}

/// Throws unless the schema is there.
private func requireCatalog(_ connection: PostgresConnection) throws {
    guard try PackVersion.isCatalogThere(connection) else {
        throw CommandError("the database has no tables yet", hint: "Run `millrace migrate up`")
    }
}
