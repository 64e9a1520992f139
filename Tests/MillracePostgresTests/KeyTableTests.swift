import MillraceAccess
import MillraceEvent
import MillracePostgres
import MillraceTestSupport
import Testing

@Suite(.onOwnThreads) struct KeyTableTests {
    private let connection: PostgresConnection
    private let table: KeyTable

    init() throws {
        connection = try TestCluster.shared.database().connect()
        table = KeyTable(connection: connection)
    }

    private func record(_ change: (inout KeyRecord) -> Void = { _ in }) -> KeyRecord {
        let (key, _) = AccessKey.make(scopes: [.write])
        var record = KeyRecord(id: key.id, name: "app", tenant: 0, scopes: [.write], secretHash: key.secretHash)
        change(&record)
        return record
    }

    @Test func `a key comes back with all that it was made with`() throws {
        _ = try connection.transaction { () throws(PostgresError) in
            try TenantTable(connection: connection).insert(name: "Ärzte & Co", id: 7)
        }
        let made = record { record in
            record.name = "the \"app\", with \\ and ,"
            record.tenant = 7
            record.scopes = [.write, .read]
            record.eventTypes = ["page.*", "a \"b\" {c},d"]
            record.events = KeyRecord.Rate(perSecond: 1000, burst: 5000)
            record.bytes = KeyRecord.Rate(perSecond: 5_000_000_000)
            record.expiresAt = 4_000_000_000_123_456
            record.origins = ["https://a.example", "https://b.example:8443"]
            record.clientSubject = "CN=app,O=Acme\\, Inc"
        }
        try table.insert(made, replaces: "0123456789ab")
        let stored = try #require(try table.all().first)
        #expect(stored.record == made)
        #expect(stored.createdBy == "millrace" && stored.replaces == "0123456789ab")
        #expect(try table.inForce(10).records == [made])
        #expect(try table.all(of: 0).isEmpty)
    }

    @Test func `the state is another one after each change and the same without`() throws {
        let first = try #require(try table.state())
        #expect(try table.state() == first)
        let key = record()
        try table.insert(key)
        let second = try #require(try table.state())
        #expect(second != first)
        try table.revoke(key.id)
        let third = try #require(try table.state())
        #expect(third != second)
        try connection.execute("TRUNCATE public.access_keys")
        #expect(try table.state() != third)
    }

    @Test func `revoked and expired keys are not in force, and are known`() throws {
        #expect(try !table.inForce(10).areAnyKnown)
        let (kept, revoked, expired) = (record(), record(), record { $0.expiresAt = 1 })
        for key in [kept, revoked, expired] { try table.insert(key) }
        try table.revoke(revoked.id)
        var keys = try table.inForce(10)
        #expect(keys.records == [kept] && keys.areAnyKnown && !keys.isCut)
        try table.revoke(kept.id, after: .seconds(3600))
        #expect(try table.inForce(10).records.map(\.id) == [kept.id], "it lives until the overlap is over")
        try table.revoke(kept.id, after: .seconds(7200))
        let end = try #require(try table.lock(kept.id)?.record.revokedAt)
        #expect(end < Timestamp.now.microseconds + 3_700_000_000, "a later end puts off no earlier one")
        try table.revoke(kept.id)
        keys = try table.inForce(10)
        #expect(keys.records.isEmpty && keys.areAnyKnown)
        #expect(try table.countInForce() == 0)
    }

    @Test func `of more keys than may be, the oldest are in force`() throws {
        let made = (0..<3).map { _ in record() }
        for key in made { try table.insert(key) }
        let keys = try table.inForce(2)
        #expect(keys.records == Array(made.prefix(2)) && keys.isCut)
        #expect(try table.countInForce() == 3)
    }

    @Test func `no key is of a tenant that is not there, and no two tenants share a name or a number`() throws {
        let error = try #require(throws: PostgresError.self) {
            try table.insert(record { $0.tenant = 9 })
        }
        #expect(error.constraint == "access_keys_tenant_id_fkey")
        let tenants = TenantTable(connection: connection)
        func make(_ name: String, _ id: Int32? = nil) throws(PostgresError) -> Int32 {
            let made = try connection.transaction { () throws(PostgresError) in
                try tenants.insert(name: name, id: id)
            }
            return made.id
        }
        #expect(try make("one") == 1)
        #expect(try make("five", 5) == 5)
        #expect(try make("six") == 6)
        for (name, id) in [("one", nil), ("other", 5), (" blank", nil), ("", nil), ("a\nb", nil)] as [(String, Int32?)]
        {
            #expect(throws: PostgresError.self) { try make(name, id) }
        }
        #expect(try tenants.all().map(\.id) == [0, 1, 5, 6])
        #expect(try tenants.all().first?.name == "default")
    }

    @Test func `a database without the tables has no state`() throws {
        try connection.execute("DROP TABLE public.access_keys_state")
        #expect(try table.state() == nil)
    }
}
