internal import ArgumentParser
internal import MillraceConsole
internal import MillraceEvent
internal import MillracePostgres

struct KeysList: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "The keys in force, and with --all those that have ended.",
        discussion: """
            Shows neither a key nor its hash.

            Example:
              millrace keys list --tenant acme --json
            """)

    @OptionGroup var options: ConfigurationOptions
    @Option(help: ArgumentHelp("Only those of this tenant: its number or name.", valueName: "tenant"))
    var tenant: String?
    @Flag(help: "Revoked and expired ones too.") var all = false
    @Flag(help: "The report as JSON.") var json = false

    func run() throws {
        let connection = try options.context().connect()
        let number = try tenant.map { try TenantTable(connection: connection).number(of: $0) }
        let now = Timestamp.now
        let reports = try KeyTable(connection: connection).all(of: number).map { KeyReport($0, at: now) }
        let shown = reports.filter { all || $0.state == .inForce || $0.state == .rotating }
        if json { return try Console.json(["keys": shown]) }
        let hidden = reports.count - shown.count
        if !shown.isEmpty { Console.out(Format.table([KeyReport.columns] + shown.map(\.row))) }
        if hidden > 0 { Console.out("\(Format.count(hidden)) have ended (--all shows them)") }
        if reports.isEmpty { Console.out("none; make one by `millrace keys create --scope write`") }
    }
}
