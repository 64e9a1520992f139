internal import ArgumentParser
internal import MillraceConsole
internal import MillracePostgres
internal import MillraceTelemetry

/// `millrace dead-letters`: lines that are not in the tables, each with its reason.
struct DeadLettersCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dead-letters",
        abstract: "List, retry and purge the lines that are not in the tables.",
        discussion: """
            Example:
              millrace dead-letters list --code database
              millrace dead-letters retry --all
              millrace dead-letters purge --older-than 90d --yes
            """,
        subcommands: [DeadLettersList.self, DeadLettersRetry.self, DeadLettersPurge.self]
    )
}

struct DeadLettersList: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "The newest dead letters and their count by reason.",
        discussion: "Example:\n  millrace dead-letters list --code database --limit 20"
    )

    struct Report: Encodable {
        struct Reason: Encodable {
            var code: String
            var sqlstate: String?
            var state: String
            var letters: Int
        }

        struct Letter: Encodable {
            var id: String
            var deadAt: String
            var receivedAt: String
            var spoolId: String
            var sequence: Int
            var kind: String
            /// A rule set the line aside; its sender was told that it is accepted.
            var quarantined: Bool
            var tenant: Int
            var code: String
            var sqlstate: String?
            var message: String
            var state: String
            /// The line, or its first bytes; nil when it was purged or its bytes are lost.
            var line: String?
        }

        var reasons: [Reason]
        /// Newest first.
        var letters: [Letter]
    }

    @OptionGroup var options: ConfigurationOptions
    @Option(help: "Only this reason: `database`, or a code such as invalid_json.") var code: String?
    @Option(help: "Only those of this tenant. Default: of all.") var tenant: Int32?
    @Option(help: "Letters shown at most.") var limit: Int = 50
    @Flag(help: "Those that were retried or purged too.") var all = false
    @Flag(help: "The report as JSON.") var json = false

    func validate() throws {
        guard limit >= 0 else { throw ValidationError("--limit is 0 or more.") }
    }

    func run() throws {
        let connection = try options.context().connect()
        let report = Report(reasons: try reasons(connection), letters: try letters(connection))
        if json { return try Console.json(report) }
        guard !report.reasons.isEmpty else { return Console.out("no dead letters") }
        Console.out(
            Format.table(
                [["code", "sqlstate", "state", "letters"]]
                    + report.reasons.map { [$0.code, $0.sqlstate ?? "", $0.state, Format.count($0.letters)] }))
        for letter in report.letters {
            let state = letter.sqlstate.map { " \($0)" } ?? ""
            let kind = letter.quarantined ? "quarantined" : letter.kind
            Console.out(
                "\n\(letter.id)  \(letter.deadAt)  \(kind) \(letter.sequence)\(Self.owner(letter.tenant))  "
                    + "\(letter.code)\(state)\n"
                    + "  \(TerminalText.line(letter.message))\n  \(Self.shortened(letter.line))")
        }
    }

    private func reasons(_ connection: PostgresConnection) throws(PostgresError) -> [Report.Reason] {
        let result = try connection.query(
            """
            SELECT code, sqlstate, state, count(*)
            FROM public.dead_letters
            WHERE ($1::text IS NULL OR code = $1) AND ($2::boolean OR state = 'open')
                AND ($3::integer IS NULL OR tenant_id = $3)
            GROUP BY code, sqlstate, state
            ORDER BY count(*) DESC, code, sqlstate, state
            """, parameters: [code.map { .text($0) }, .text(all ? "t" : "f"), tenant.map { .integer($0) }])
        return (0..<result.rowCount).map { row in
            .init(
                code: result.string(row, 0) ?? "", sqlstate: result.string(row, 1),
                state: result.string(row, 2) ?? "", letters: result.count(row, 3))
        }
    }

    private func letters(_ connection: PostgresConnection) throws(PostgresError) -> [Report.Letter] {
        let result = try connection.query(
            """
            SELECT
                id::text, dead_at::text, received_at::text, spool_id::text, sequence, kind, code, sqlstate, message,
                state, line, tenant_id, quarantined
            FROM public.dead_letters
            WHERE ($1::text IS NULL OR code = $1) AND ($2::boolean OR state = 'open')
                AND ($4::integer IS NULL OR tenant_id = $4)
            ORDER BY dead_at DESC, spool_id, sequence
            LIMIT $3::bigint
            """,
            parameters: [
                code.map { .text($0) }, .text(all ? "t" : "f"), .integer(limit), tenant.map { .integer($0) },
            ])
        return (0..<result.rowCount).map { row in
            .init(
                id: result.string(row, 0) ?? "", deadAt: result.string(row, 1) ?? "",
                receivedAt: result.string(row, 2) ?? "", spoolId: result.string(row, 3) ?? "",
                sequence: result.count(row, 4), kind: result.string(row, 5) ?? "",
                quarantined: result.bool(row, 12) ?? false, tenant: result.count(row, 11),
                code: result.string(row, 6) ?? "",
                sqlstate: result.string(row, 7), message: result.string(row, 8) ?? "",
                state: result.string(row, 9) ?? "", line: result.string(row, 10))
        }
    }

    /// Nothing of tenant 0, who is all there is where nobody made any.
    private static func owner(_ tenant: Int) -> String { tenant == 0 ? "" : " of tenant \(tenant)" }

    /// As one line for a terminal.
    static func shortened(_ line: String?) -> String {
        guard let line else { return "(its bytes are not kept)" }
        return TerminalText.line(String(line.prefix(160))) + (line.count > 160 ? "…" : "")
    }
}
