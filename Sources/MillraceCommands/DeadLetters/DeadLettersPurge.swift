internal import ArgumentParser
internal import MillraceConsole
internal import MillraceJSON
internal import MillracePostgres

struct DeadLettersPurge: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "purge",
        abstract: "Delete the lines of old dead letters for good.",
        discussion: """
            The letter stays without its line, so that the account of `millrace verify` still balances. Refuses without \
            --yes.

            Example:
              millrace dead-letters purge --older-than 90d --yes
            """
    )

    @OptionGroup var options: ConfigurationOptions
    @Option(help: "Letters older than this: 90s, 30m, 12h or 30d.") var olderThan: Age
    @Option(help: "Only this reason.") var code: String?
    @Option(help: "Only those of this tenant. Default: of all.") var tenant: Int32?
    @Flag(help: "Yes, delete these lines.") var yes = false
    @Flag(help: "What was done as JSON.") var json = false

    func run() throws {
        let purge = DeadLetterPurge(
            connection: try options.context().connect(), olderThan: olderThan, code: code, tenant: tenant)
        guard yes else {
            throw CommandError(
                "nothing was done: purge would delete the lines of \(Format.count(try purge.count())) dead letters",
                hint: "Run it with --yes if that is what you want")
        }
        let purged = try purge.run()
        if json { return try Console.json(["purged": purged]) }
        Console.out("purged the lines of \(Format.count(purged)) dead letters")
    }
}

/// Removes the lines of old letters. The rows stay: the ledger counts them.
struct DeadLetterPurge {
    let connection: PostgresConnection
    let olderThan: Age
    /// nil: every reason.
    let code: String?
    /// nil: every tenant.
    var tenant: Int32?

    private var parameters: [PostgresParameter?] {
        [.integer(olderThan.seconds), code.map { .text($0) }, tenant.map { .integer($0) }]
    }

    private static let condition = """
        (state = 'open' OR (state = 'retried' AND line IS NOT NULL))
            AND dead_at < now() - make_interval(secs => $1::double precision)
            AND ($2::text IS NULL OR code = $2)
            AND ($3::integer IS NULL OR tenant_id = $3)
        """

    /// Letters that `run` would take.
    func count() throws(PostgresError) -> Int {
        try connection.query(
            "SELECT count(*) FROM public.dead_letters WHERE \(Self.condition)", parameters: parameters
        ).count(0, 0)
    }

    /// Returns how many letters lost their line.
    func run() throws(PostgresError) -> Int {
        try connection.transaction(timeout: .seconds(600)) { () throws(PostgresError) in
            let purged = try connection.query(
                """
                UPDATE public.dead_letters
                SET line = NULL,
                    state = CASE state WHEN 'open' THEN 'purged' ELSE state END,
                    resolved_at = COALESCE(resolved_at, now())
                WHERE \(Self.condition)
                """, parameters: parameters, timeout: .seconds(600)
            ).affectedRows
            guard purged > 0 else { return 0 }
            try AuditLog.record(
                .deadLettersPurge, "dead_letters", before: ["letters": .integer(purged)],
                after: [
                    "older_than_seconds": .integer(olderThan.seconds), "codes": .strings(code.map { [$0] } ?? []),
                ], on: connection)
            return purged
        }
    }
}
