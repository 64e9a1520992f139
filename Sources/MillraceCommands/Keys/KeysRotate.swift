internal import ArgumentParser
internal import MillraceAccess
internal import MillraceConfiguration
internal import MillraceConsole
internal import MillraceEvent
internal import MillraceJSON
internal import MillracePostgres

struct KeysRotate: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rotate",
        abstract: "Make a key with the rights of another one, which ends after an overlap.",
        discussion: """
            The new key has an id and a secret of its own, and is printed this once, as `keys create` does. The old one opens \
            for --overlap longer, so that clients can change over; --overlap 0s ends one that has leaked at once.

            Example:
              millrace keys rotate 0123456789ab --overlap 7d
            """)

    @OptionGroup var options: ConfigurationOptions
    @Argument(help: ArgumentHelp("The key's id, as `keys list` shows it.", valueName: "id")) var key: KeyID
    @Option(help: ArgumentHelp("How long the old one still opens: 0s, 30m, 24h, 7d.", valueName: "duration"))
    var overlap = Age(hours: 24)
    @Flag(help: "The new key and what it opens as JSON.") var json = false

    func validate() throws {
        guard overlap.seconds <= 366 * 86_400 else { throw ValidationError("--overlap is at most 366d.") }
    }

    func run() throws {
        let context = try options.context()
        let connection = try context.connect()
        let table = KeyTable(connection: connection)
        let (text, fresh, old) = try connection.act {
            let old = try table.lockKnown(key.text)
            let state = KeyReport(old, at: .now).state
            guard state == .inForce || state == .rotating else {
                throw CommandError(
                    "key \(key.text) is \(state.rawValue)", hint: "Make another one by `millrace keys create`")
            }
            let (made, text) = AccessKey.make(scopes: old.record.scopes)
            var record = old.record
            record.id = made.id
            record.secretHash = made.secretHash
            record.revokedAt = nil
            try table.insert(record, replaces: old.record.id)
            try table.revoke(old.record.id, after: .seconds(overlap.seconds))
            let (fresh, ending) = (try table.lockKnown(made.id), try table.lockKnown(old.record.id))
            try AuditLog.record(
                .keyRotate, old.record.id, before: KeyReport(old, at: .now).audited,
                after: ["old": KeyReport(ending, at: .now).audited, "new": .string(made.id)], on: connection)
            return (text, fresh, ending)
        }
        KeysCommand.waitForDaemons(context.configuration.auth)
        let report = KeyReport(fresh, at: .now, key: text)
        if json { try Console.json(report) } else { Console.out(text) }
        let end = KeyReport(old, at: .now)
        Console.error(
            "key \(report.id) is shown this once; \(end.id) "
                + (end.state == .rotating ? "opens until \(end.revokedAt ?? "")." : "is revoked."))
    }
}
