import MillraceEvent
import MillracePostgres
import MillraceProjections
import MillraceTestSupport
import Testing

/// Which ids are one person, in the pack `product`.
@Suite(.onOwnThreads) struct ProductIdentityTests {
    private static func id(_ number: UInt64) -> UniqueID { UniqueID(high: 7, low: number) }

    private static func generator() -> SeededGenerator {
        let seed = UInt64.random(in: 1...999_999_999)
        print("seed of the links: \(seed)")
        return SeededGenerator(seed: seed)
    }

    private static func rig(_ name: String = #function) throws -> FoldRig {
        try FoldRig(name, pack: #require(PackLoader().load(["product"]).first))
    }

    /// Events of two tenants over three months. Each of a few ids is named by very many.
    private static func events(_ count: Int, using generator: inout SeededGenerator) -> EventRows {
        var rows = EventRows()
        for number in 0..<count {
            let user = UInt64.random(in: 1...250, using: &generator)
            let linked =
                Int.random(in: 0...2, using: &generator) == 0
                ? 900 + UInt64.random(in: 0...2, using: &generator) : UInt64.random(in: 1...320, using: &generator)
            let member = Bool.random(using: &generator) ? "anonymous_user_id" : "previous_user_id"
            let payload =
                switch Int.random(in: 0...9, using: &generator) {
                case 0...3: "{}"
                case 4: #"{"_millrace":{"source":"segment"}}"#
                case 5: #"{"_millrace":{"\#(member)":null}}"#
                default: #"{"_millrace":{"source":"segment","\#(member)":"\#(id(linked))"}}"#
                }
            rows.append(
                "page.viewed", payload, user: Int.random(in: 0...9, using: &generator) == 0 ? nil : user,
                createdAt: 1_790_000_000_000_000 + Int64.random(in: 0...80, using: &generator) * 86_400_000_000,
                id: UniqueID(high: 5, low: UInt64(number)),
                tenant: Int.random(in: 0...3, using: &generator) == 0 ? 7 : 0)
        }
        return rows
    }

    @Test func `persons are what links join, whatever the order, the batches and the sessions`() throws {
        var generator = Self.generator()
        let events = Self.events(600, using: &generator)
        var found: [[String]] = []
        for turn in 0..<3 {
            let rig = try Self.rig("persons \(turn)")
            var rows = events.shuffled(using: &generator).rows[...]
            while !rows.isEmpty {
                let count = min(rows.count, Int.random(in: 1...60, using: &generator))
                let outcome = try rig.fold(rows.prefix(count), slot: Int.random(in: 0...2, using: &generator))
                #expect(outcome.failures.isEmpty, "\(outcome.failures)")
                rows.removeFirst(count)
            }
            #expect(try rig.parked() == [])
            found.append(try ProductPersons.found(on: rig.connection))
            #expect(try found[turn] == ProductPersons.expected(on: rig.connection))
            #expect(try rig.strings("SELECT DISTINCT tenant_id FROM projections.product_shared_ids") != [])
        }
        #expect(found[0] == found[1] && found[0] == found[2])
        #expect(found[0].count > 50)
        // Some are persons of more than two ids, some are apart.
        #expect(Set(found[0].map { $0.split(separator: " ")[2] }).count > 10)
    }

    @Test func `links that go take persons apart, and shared ids that are no more join again`() throws {
        var generator = Self.generator()
        let rig = try Self.rig()
        try rig.fold(Self.events(600, using: &generator).rows)
        var shared = try rig.strings("SELECT id FROM projections.product_shared_ids")
        #expect(!shared.isEmpty)
        for _ in 0..<12 {
            let user = Self.id(UInt64.random(in: 1...250, using: &generator))
            for table in ["anonymous", "previous"] {
                try rig.connection.execute(
                    "DELETE FROM projections.product_\(table)_links WHERE '\(user)' IN (user_id, linked_id)")
            }
            #expect(try ProductPersons.found(on: rig.connection) == ProductPersons.expected(on: rig.connection))
        }
        try rig.connection.execute(
            "DELETE FROM projections.product_anonymous_links WHERE user_id::text > '\(Self.id(30))'")
        try rig.connection.execute(
            "DELETE FROM projections.product_previous_links WHERE user_id::text > '\(Self.id(30))'")
        #expect(try ProductPersons.found(on: rig.connection) == ProductPersons.expected(on: rig.connection))
        shared = try rig.strings("SELECT id FROM projections.product_shared_ids")
        #expect(shared.isEmpty)
    }

    @Test func `of more than 1,000 ids that are joined, each is a person of its own, as long as they are so many`()
        throws
    {
        let rig = try Self.rig()
        func chain(_ from: Int, _ to: Int) throws {
            try rig.connection.execute(
                """
                INSERT INTO projections.product_anonymous_links (user_id, linked_id, bucket, slot, n)
                SELECT lpad(i::text, 32, '0')::uuid, lpad((i + 1)::text, 32, '0')::uuid, '2026-11-01', 0, 1
                FROM generate_series(\(from), \(to)) AS i
                """)
        }
        func oversized() throws -> [String] {
            try rig.strings(
                "SELECT concat_ws(' ', oversized_ids, persons, joined_ids) FROM projections.product_identity_counts")
        }
        try chain(1, 999)
        #expect(try oversized() == ["0 1 1000"])
        try chain(2001, 2010)
        try chain(1000, 1000)
        #expect(try oversized() == ["1001 1 11"])
        // One by one, and one that joins it to another person.
        try chain(1001, 1001)
        try chain(2000, 2000)
        #expect(try oversized() == ["1002 1 12"])
        try chain(1002, 1999)
        #expect(try ProductPersons.found(on: rig.connection) == ProductPersons.expected(on: rig.connection))
        for place in [1500, 600, 601, 5] {
            try rig.connection.execute(
                """
                DELETE FROM projections.product_anonymous_links WHERE user_id = lpad('\(place)', 32, '0')::uuid
                """)
            #expect(
                try ProductPersons.found(on: rig.connection) == ProductPersons.expected(on: rig.connection), "\(place)")
        }
        #expect(try oversized() == ["0 4 2010"])
    }

    @Test func `two sessions that join one id at the same time make one person`() throws {
        let rig = try Self.rig()
        func link(_ user: Int, _ linked: Int) -> String {
            """
            INSERT INTO projections.product_previous_links (user_id, linked_id, bucket, slot, n)
            VALUES (lpad('\(user)', 32, '0')::uuid, lpad('\(linked)', 32, '0')::uuid, '2026-11-01', 0, 1)
            """
        }
        try rig.connection.execute("BEGIN")
        try rig.connection.execute(link(3, 2))
        let (database, statement) = (rig.database, link(2, 1))
        let second = BackgroundThread { _ = try database.connect().execute(statement) }
        let waits = try eventually {
            try rig.database.connect().execute(BlockedSessions.count()).int(0, 0) == 1
        }
        #expect(waits)
        try rig.connection.execute("COMMIT")
        try second.join()
        #expect(
            try rig.strings("SELECT right(person_id::text, 1) FROM projections.product_identities") == ["1", "1", "1"])
    }

    @Test func `a link that is no UUID is parked, and the event counts nevertheless`() throws {
        let rig = try Self.rig()
        var rows = EventRows()
        rows.append("page.viewed", #"{"_millrace":{"anonymous_user_id":"ada"}}"#, number: 1)
        rows.append("page.viewed", #"{"_millrace":"no object"}"#, number: 2)
        rows.append("page.viewed", #"{"_millrace":{"anonymous_user_id":"\#(Self.id(1))"}}"#, number: 3)
        try rig.fold(rows.rows)
        #expect(try rig.parked() == ["anonymous_links database 1"])
        #expect(try rig.strings("SELECT sum(n) FROM projections.product_user_days") == ["3"])
        #expect(try rig.strings("SELECT user_id FROM projections.product_identities") == [])
    }
}
