internal import ArgumentParser
internal import MillraceConsole
internal import MillracePostgres
internal import MillraceProjections

struct UsersList: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "List erasures: those under way, then the latest that are done.",
        discussion: """
            Users are not named: once an erasure is done nothing knows whom it was about.

            Example:
              millrace users list --limit 5
            """)

    struct Entry: Encodable {
        var id: String
        var tenant: Int
        var state: String
        var source: String
        var requestedAt: String
        var doneAt: String
        var waitingForSpools: Int
        var error: String
    }

    @OptionGroup var options: ConfigurationOptions
    @Option(help: "How many at most.") var limit = 20
    @Flag(help: "The list as JSON.") var json = false

    func validate() throws {
        guard limit > 0 else { throw ValidationError("--limit is at least 1.") }
    }

    func run() throws {
        let connection = try options.context().connect()
        guard try ErasureQueue(on: connection).isThere else {
            throw CommandError("the database knows no erasures", hint: "Run `millrace migrate up`")
        }
        let rows = try connection.query(
            """
            SELECT own.id, own.tenant_id, own.state, own.source,
                to_char(own.requested_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
                to_char(own.done_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
                (SELECT count(*) FROM public.erasure_spools AS s WHERE s.erasure_id = own.id AND s.state <> 'done'),
                own.error
            FROM public.erasures AS own
            ORDER BY own.state = 'done', own.requested_at DESC
            LIMIT $1::integer
            """, parameters: [.integer(limit)])
        let entries = rows.texts.map { row in
            Entry(
                id: row[0], tenant: Int(row[1]) ?? 0, state: row[2], source: row[3], requestedAt: row[4],
                doneAt: row[5],
                waitingForSpools: Int(row[6]) ?? 0, error: row[7])
        }
        if json { return try Console.json(["erasures": entries]) }
        Console.out(
            entries.isEmpty
                ? "no erasures"
                : entries.map { entry in
                    let waits = entry.waitingForSpools > 0 ? "  waits for \(entry.waitingForSpools) spools" : ""
                    let done = entry.doneAt.isEmpty ? "" : " … \(entry.doneAt)"
                    let error = entry.error.isEmpty ? "" : "  \(entry.error)"
                    return "\(entry.id)  tenant \(entry.tenant)  \(entry.state)  by \(entry.source)  "
                        + "\(entry.requestedAt)\(done)\(waits)\(error)"
                }.joined(separator: "\n"))
    }
}
