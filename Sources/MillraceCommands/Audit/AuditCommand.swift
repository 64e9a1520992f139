internal import ArgumentParser
internal import MillraceConsole
internal import MillracePostgres

/// `millrace audit`: who changed what.
struct AuditCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "audit",
        abstract: "Who changed what, from where and when; the newest last.",
        discussion: """
            Keys, tenants, migrations, months, packs, dead letters, seeds and reloads: each is written down in the \
            transaction of the act. Nothing of it can be changed; what is older than audit.keep goes. Reads only, also from \
            a standby.

            Example:
              millrace audit --since 7d
              millrace audit --action key. --json
              millrace audit --before 4711 --limit 50
              millrace audit --follow
            """
    )

    @OptionGroup var options: ConfigurationOptions
    @Option(help: "Only what is not older than this: 90s, 30m, 12h or 30d.") var since: Age?
    @Option(help: "Only actions that begin so: key.create, or key. for all of keys.") var action: String?
    @Option(help: "The page before this id.") var before: Int?
    @Option(help: "Rows shown at most: 1 to 10,000.") var limit: Int = 100
    @Flag(help: "Go on, and show what comes, until interrupted.") var follow = false
    @Flag(help: "As JSON; with --follow an object a line.") var json = false

    func validate() throws {
        guard (1...10_000).contains(limit) else { throw ValidationError("--limit is 1 to 10000.") }
        guard !follow || before == nil else { throw ValidationError("--before and --follow don't go together.") }
    }

    func run() throws {
        let context = try options.context()
        let page = AuditPage(since: since, action: action, before: before, limit: limit)
        let connection = try connect(context)
        guard follow else { return show(try page.read(on: connection)) }
        var follower = try AuditFollower(page, on: connection)
        let entries = try page.read(on: connection)
        follower.skip(entries)
        show(entries)
        try follow(&follower, from: connection, context)
    }

    private func connect(_ context: CommandContext) throws -> PostgresConnection {
        let connection = try context.connect()
        try connection.execute("SET default_transaction_read_only = on")
        guard try AuditLog.isThere(connection) else {
            throw CommandError("the database has no audit log yet", hint: "Run `millrace migrate up`")
        }
        return connection
    }

    private func show(_ entries: [AuditEntry]) {
        switch (json, follow) {
        case (true, false):
            let rows = entries.map { "    \($0.json)" }.joined(separator: ",\n")
            Console.out(entries.isEmpty ? "{\n  \"entries\" : []\n}" : "{\n  \"entries\" : [\n\(rows)\n  ]\n}")
        case (true, true): for entry in entries { Console.out(entry.json) }
        case (false, _):
            if entries.isEmpty, !follow { Console.out("nothing is written down") }
            for entry in entries { Console.out(entry.text) }
        }
    }

    /// Ends with the process only, or with an error that does not pass by itself.
    private func follow(
        _ follower: inout AuditFollower, from connection: PostgresConnection, _ context: CommandContext
    ) throws {
        let interrupt = PostgresInterrupt()
        var backoff = Backoff(min: .seconds(1), max: .seconds(30))
        var open: PostgresConnection? = connection
        while true {
            try interrupt.pause(for: AuditFollower.interval)
            do {
                let connection = try open ?? connect(context)
                open = connection
                show(try follower.next(on: connection))
                backoff.reset()
            } catch let error as PostgresError where error.isRetryable {
                if open != nil { Console.error("millrace: \(error.message); trying again") }
                open = nil
                try interrupt.pause(for: backoff.next())
            }
        }
    }
}
