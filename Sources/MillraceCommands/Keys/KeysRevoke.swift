internal import ArgumentParser
internal import MillraceConsole
internal import MillraceEvent
internal import MillracePostgres

struct KeysRevoke: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "revoke",
        abstract: "End a key for good.",
        discussion: """
            Every daemon of this database refuses it within auth.refresh_interval, on open connections too. There is no way \
            back; make another one.

            Example:
              millrace keys revoke 0123456789ab
            """)

    @OptionGroup var options: ConfigurationOptions
    @Argument(help: ArgumentHelp("The key's id, as `keys list` shows it.", valueName: "id")) var key: KeyID
    @Flag(help: "What was done as JSON.") var json = false

    func run() throws {
        let connection = try options.context().connect()
        let table = KeyTable(connection: connection)
        let (before, after) = try connection.act {
            let before = try table.lockKnown(key.text)
            try table.revoke(key.text)
            let after = try table.lockKnown(key.text)
            try AuditLog.record(
                .keyRevoke, key.text, before: KeyReport(before, at: .now).audited,
                after: KeyReport(after, at: .now).audited, on: connection)
            return (before, after)
        }
        let (was, report) = (KeyReport(before, at: .now), KeyReport(after, at: .now))
        if json { return try Console.json(report) }
        Console.out(
            was.state == .revoked
                ? "key \(report.id) was revoked already"
                : "key \(report.id) is revoked; daemons refuse it within seconds")
    }
}
