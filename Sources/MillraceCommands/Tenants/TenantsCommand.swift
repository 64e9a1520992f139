internal import ArgumentParser
internal import MillraceConsole
internal import MillraceEvent
internal import MillraceJSON
internal import MillracePostgres

/// `millrace tenants`: whose rows there are.
struct TenantsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tenants",
        abstract: "Make and list tenants: teams or customers that share a daemon and see nothing of each other.",
        discussion: """
            A key says whose rows its holder writes and reads (`millrace keys create --tenant acme`). Tables hold the number, as \
            tenant_id; 0 is "default", and whoever needs no key.

            Example:
              millrace tenants create acme
              millrace tenants list
            """,
        subcommands: [Create.self, List.self]
    )

    struct Report: Encodable {
        var id: Int32
        var name: String
        /// RFC 3339.
        var createdAt: String

        init(_ tenant: StoredTenant) {
            id = tenant.id
            name = tenant.name
            createdAt = Timestamp(microseconds: tenant.createdAt).rfc3339
        }
    }

    struct Create: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make a tenant, and say its number.",
            discussion: """
                Example:
                  millrace tenants create acme
                """)

        @OptionGroup var options: ConfigurationOptions
        @Argument(help: "What people call it: 1 to 100 characters.") var name: String
        @Option(help: ArgumentHelp("Its number. Default: the next one.", valueName: "number")) var id: Int32?
        @Flag(help: "What was made as JSON.") var json = false

        func validate() throws {
            let isName =
                (1...100).contains(name.count) && name.first?.isWhitespace == false && name.last?.isWhitespace == false
                && name.unicodeScalars.allSatisfy { $0.properties.generalCategory != .control }
            guard isName, Int32(name) == nil else {
                throw ValidationError(
                    "A name has 1 to 100 characters, no control characters, no blanks at its ends, and is no number.")
            }
            guard id.map({ $0 > 0 }) ?? true else { throw ValidationError("--id is above 0, which is \"default\".") }
        }

        func run() throws {
            let connection = try options.context().connect()
            let table = TenantTable(connection: connection)
            let made: StoredTenant
            do {
                made = try connection.act {
                    let made = try table.insert(name: name, id: id)
                    try AuditLog.record(
                        .tenantCreate, "\(made.id)", after: ["name": .string(made.name)], on: connection)
                    return made
                }
            } catch let error as PostgresError where error.constraint == "tenants_name_key" {
                throw CommandError("there is a tenant \(name) already", hint: "See `millrace tenants list`")
            } catch let error as PostgresError where error.constraint == "tenants_pkey" {
                throw CommandError(
                    "the number \(id.map { "\($0)" } ?? "") is taken",
                    hint: "See `millrace tenants list`, or leave --id out")
            }
            if json { return try Console.json(Report(made)) }
            Console.out("tenant \(made.id): \(made.name)")
        }
    }

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Every tenant, its number and name.",
            discussion: """
                Example:
                  millrace tenants list --json
                """)

        @OptionGroup var options: ConfigurationOptions
        @Flag(help: "The report as JSON.") var json = false

        func run() throws {
            let reports = try TenantTable(connection: try options.context().connect()).all().map(Report.init)
            if json { return try Console.json(["tenants": reports]) }
            let rows = reports.map { ["\($0.id)", $0.name, "\($0.createdAt.prefix(16))".replacing("T", with: " ")] }
            Console.out(Format.table([["tenant", "name", "since (UTC)"]] + rows))
        }
    }
}

extension TenantTable {
    /// Of a tenant as someone wrote it: its number or its name. Throws where there is none.
    func number(of text: String) throws -> Int32 {
        let tenants = try all()
        let found = Int32(text).map { number in tenants.first { $0.id == number } } ?? tenants.first { $0.name == text }
        guard let found else {
            throw CommandError(
                "there is no tenant \(text)",
                hint: "See `millrace tenants list`; make one by `millrace tenants create NAME`")
        }
        return found.id
    }
}
