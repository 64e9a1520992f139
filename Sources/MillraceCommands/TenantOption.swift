internal import ArgumentParser
internal import MillraceConsole
internal import MillracePostgres

/// `--tenant`, of commands that work on one tenant's rows.
struct TenantOption: ParsableArguments {
    @Option(help: "Whose rows: the number of a tenant (`millrace tenants list`).")
    var tenant: Int32 = 0

    func validate() throws {
        guard tenant >= 0 else { throw ValidationError("--tenant is 0 or more.") }
    }

    /// The tenant. Throws unless the database knows it. Blocks.
    func known(on connection: PostgresConnection) throws -> Int32 {
        try Self.check(tenant, on: connection)
        return tenant
    }

    /// Throws unless the database knows the tenant. Blocks.
    static func check(_ tenant: Int32, on connection: PostgresConnection) throws {
        guard try connection.hasRelation("public.tenants") else {
            throw CommandError("the database knows no tenants", hint: "Run `millrace migrate up`")
        }
        let found = try connection.query(
            "SELECT EXISTS (SELECT FROM public.tenants WHERE id = $1::integer)", parameters: [.integer(tenant)])
        guard found.bool(0, 0) == true else {
            throw CommandError(
                "there is no tenant \(tenant)",
                hint: "See `millrace tenants list`; `millrace tenants create` makes one")
        }
    }
}
