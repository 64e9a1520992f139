internal import ArgumentParser
internal import CPacks
internal import MillraceConsole

/// `millrace migrate identity-sql`: what the other database needs.
struct MigrateIdentitySQL: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "identity-sql",
        abstract: "Print the SQL for the database that signs users in (identity.url).",
        discussion: """
            It keeps public.users (id, email, first_name, last_name, plan) as auth.users is, by triggers; lets a user see \
            one row, by row-level security; and makes the role millrace_identity, which reads those columns and nothing \
            else. Run it there as the owner, on Supabase in the SQL editor; again, it changes nothing. Then give the role a \
            password (ALTER ROLE millrace_identity LOGIN PASSWORD '…') and name it in identity.url.

            Example:
              millrace migrate identity-sql | psql "$SUPABASE_DATABASE_URL" -v ON_ERROR_STOP=1
              millrace migrate identity-sql --down
            """
    )

    @Flag(help: "The SQL that takes triggers, function and role away again; the table stays.") var down = false

    func run() throws {
        let file = down ? mr_identity_down : mr_identity_up
        let bytes = UnsafeBufferPointer(start: file.bytes, count: file.length)
        // Ends without the last line break, which `out` adds.
        Console.out(String(decoding: bytes.dropLast(), as: UTF8.self))
    }
}
