internal import ArgumentParser
internal import MillraceAccess
internal import MillraceConfiguration
internal import MillraceConsole
internal import MillraceEvent
internal import MillracePostgres

struct KeysCreate: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "create",
        abstract: "Make a key and print it, this once.",
        discussion: """
            The key goes to standard output, alone; hints go to standard error. Only the SHA-256 of its secret is stored, which \
            is enough for 256 random bits.

            Scopes: write sends events and conversation saves, read reads all rows of the tenant, decrypt reads them with what \
            [fields] encrypts in plain text, admin administers, and writes and reads, but does not decrypt.

            Example:
              millrace keys create --scope write --name web --tenant acme --type 'page.*' --type signup --rate 1000 --expires 90d
              millrace keys create --scope write --json > key.json
            """)

    @OptionGroup var options: ConfigurationOptions

    @Option(help: "What people call it.") var name = ""

    @Option(help: "write, read, decrypt or admin; repeat it for several.") var scope: [AccessScope] = []

    @Option(help: ArgumentHelp("The tenant's number or name.", valueName: "tenant")) var tenant = "0"

    @Option(
        help: ArgumentHelp("An event type it may send, or prefix.*; repeat it. Default: all.", valueName: "type"))
    var type: [String] = []

    @Option(help: ArgumentHelp("Events a second. Default: no limit.", valueName: "events")) var rate: Int?

    @Option(help: ArgumentHelp("Events at once after a quiet time. Default: those of a second.", valueName: "events"))
    var burst: Int?

    @Option(help: ArgumentHelp("Bytes a second, such as 5MiB. Default: no limit.", valueName: "size"))
    var byteRate: ByteCount?

    @Option(help: ArgumentHelp("Bytes at once after a quiet time. Default: those of a second.", valueName: "size"))
    var byteBurst: ByteCount?

    @Option(help: ArgumentHelp("When it ends: a time like 2027-01-31T00:00:00Z, or 90d from now.", valueName: "time"))
    var expires: Expiry?

    @Option(
        help: ArgumentHelp(
            "A page's origin that may send with it, such as https://app.example.com or https://*.example.com; repeat it.",
            valueName: "origin"))
    var origin: [Origin] = []

    @Option(
        help: ArgumentHelp(
            "The subject that the client's certificate must have, such as CN=web,O=Acme.", valueName: "subject"))
    var clientSubject: String?

    @Flag(help: "The key and what it opens as JSON.") var json = false

    func validate() throws {
        guard !scope.isEmpty else {
            throw ValidationError("Say what it opens: --scope write, read, decrypt or admin.")
        }
        for (name, value) in [("--rate", rate), ("--burst", burst)] {
            guard value.map({ (1...Int(Int32.max)).contains($0) }) ?? true else {
                throw ValidationError("\(name) is a number of events from 1 to \(Int32.max).")
            }
        }
        guard burst == nil || rate != nil else { throw ValidationError("--burst wants a --rate.") }
        guard byteBurst == nil || byteRate != nil else { throw ValidationError("--byte-burst wants a --byte-rate.") }
        guard Self.isPrintable(name), name.count <= 200 else {
            throw ValidationError("--name has at most 200 characters, and no control characters.")
        }
        guard clientSubject.map({ Self.isPrintable($0) && !$0.isEmpty }) ?? true else {
            throw ValidationError("--client-subject has at least one character, and no control characters.")
        }
        for type in type {
            guard (1...200).contains(type.utf8.count), Self.isPrintable(type) else {
                throw ValidationError("--type is an event type: 1 to 200 bytes without control characters.")
            }
            let name = type.hasSuffix(".*") ? type.dropLast(2) : type[...]
            guard !name.isEmpty, !name.contains("*") else {
                throw ValidationError(
                    "--type \(type) is neither a whole event type nor prefix.*; without --type, all may be sent.")
            }
        }
    }

    func run() throws {
        let context = try options.context()
        let connection = try context.connect()
        let (key, text) = AccessKey.make(scopes: Set(scope))
        let (stored, isFirst) = try connection.act {
            let table = KeyTable(connection: connection)
            var record = KeyRecord(
                id: key.id, name: name, tenant: try TenantTable(connection: connection).number(of: tenant),
                scopes: Set(scope), secretHash: key.secretHash)
            record.eventTypes = type
            record.events = KeyRecord.Rate(perSecond: rate, burst: burst)
            record.bytes = KeyRecord.Rate(perSecond: byteRate?.bytes, burst: byteBurst?.bytes)
            record.expiresAt = expires?.at.microseconds
            record.origins = origin.map(\.text)
            record.clientSubject = clientSubject
            let keysMax = context.configuration.auth.keysMax
            guard try table.countInForce() < keysMax else {
                throw CommandError(
                    "there are \(Format.count(keysMax)) keys in force, as many as auth.keys_max lets in",
                    hint: "Revoke what nobody uses, or raise auth.keys_max for the daemon and here")
            }
            let isFirst = try !table.areAnyKnown()
            try table.insert(record)
            let stored = try table.lockKnown(record.id)
            try AuditLog.record(.keyCreate, record.id, after: KeyReport(stored, at: .now).audited, on: connection)
            return (stored, isFirst)
        }
        KeysCommand.waitForDaemons(context.configuration.auth)
        let report = KeyReport(stored, at: .now, key: text)
        if json { try Console.json(report) } else { Console.out(text) }
        Console.error("key \(key.id) is shown this once; `millrace keys revoke \(key.id)` ends it.")
        if isFirst {
            Console.error(
                "It is the first one: from now on the daemons of this database want a key of everyone, over loopback too."
            )
        }
    }

    private static func isPrintable(_ text: String) -> Bool {
        text.unicodeScalars.allSatisfy { $0.properties.generalCategory != .control }
    }
}
