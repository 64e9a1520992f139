import MillraceEvent
import MillracePostgres
import MillraceProjections
import MillraceTestSupport
import Testing

/// Users of the pack `workspaces`, who fight for two columns with unique indexes.
@Suite(.onOwnThreads) struct ContentionTests {
    private struct Save: Hashable {
        var user: Int
        /// nil: deleted.
        var values: (name: Int, email: Int)?
        var at: Int64
        var id: UniqueID
        var isInvalid = false

        static func == (one: Save, two: Save) -> Bool { one.id == two.id }
        func hash(into hasher: inout Hasher) { hasher.combine(id) }
        var order: (Int64, UInt64, UInt64) { (at, id.high, id.low) }

        init(_ user: Int, name: Int? = nil, email: Int, second: Int64) {
            self.user = user
            values = (name ?? user, email)
            at = 1_795_000_000_000_000 + second * 1_000_000
            id = UniqueID(high: 1, low: UInt64(user * 1000) + UInt64(second))
        }

        init(random generator: inout SeededGenerator) {
            user = Int.random(in: 1...12, using: &generator)
            if Int.random(in: 0...9, using: &generator) > 0 {
                values = (Int.random(in: 1...9, using: &generator), Int.random(in: 1...9, using: &generator))
            }
            at = 1_795_000_000_000_000 + Int64.random(in: 0...40, using: &generator) * 1_000_000
            id = UniqueID(high: generator.next(), low: generator.next())
            isInvalid = Int.random(in: 0...19, using: &generator) == 0
        }
    }

    private final class Session {
        let connection: PostgresConnection
        let target: FoldTarget
        let fold: BatchFold

        init(_ connection: PostgresConnection, _ target: FoldTarget, slot: Int) {
            self.connection = connection
            self.target = target
            fold = BatchFold(slot: slot)
        }

        @discardableResult
        func add(_ saves: [Save], commits: Bool = true) throws -> FoldOutcome {
            var rows = EventRows()
            for save in saves {
                let role = save.isInvalid ? #","role":"nobody""# : ""
                let values = save.values.map { #","username":"name \#($0.name)","email":"\#($0.email)@example.org""# }
                rows.append(
                    save.values == nil ? "workspaces.user_deleted" : "workspaces.user_saved",
                    #"{"id":\#(save.user)\#(values ?? "")\#(role)}"#, user: nil, createdAt: save.at, id: save.id)
            }
            fold.begin([target])
            try connection.execute("BEGIN; SET LOCAL millrace.slot = 2")
            for row in rows.rows { row.withUnsafeBytes { fold.add(.analyticsEvents, rows: $0) } }
            let outcome = try fold.apply(batchID: 9, on: connection)
            #expect(outcome.failures.isEmpty && outcome.folded == [target.versionID])
            if commits { try connection.commit() }
            return outcome
        }
    }

    private struct Rig {
        let database: TestDatabase
        let first: Session

        init(_ name: String) throws {
            database = try TestCluster.shared.database(name)
            let connection = try database.connect()
            let target = try PackFixture.install(PackLoader(directory: nil).load("workspaces"), on: connection)
            first = Session(connection, target, slot: 2)
        }

        func clear() throws {
            try first.connection.execute(
                """
                TRUNCATE projections.workspaces_users, projections.workspaces_users__events,
                    projections.workspaces_users__values, projections.parked
                """)
        }

        /// `user name email`, deleted ones with a dash, then those that wait.
        func state() throws -> [String] {
            let rows = try first.connection.execute(
                """
                SELECT concat_ws(' ', id, COALESCE(username, '-'), COALESCE(email, '-')) AS text
                FROM projections.workspaces_users
                UNION ALL
                SELECT 'waiting ' || key || ' ' || event_id FROM projections.parked WHERE code = 'waiting'
                ORDER BY 1
                """)
            return (0..<rows.rowCount).map { rows.string($0, 0) ?? "" }.sorted()
        }
    }

    /// What the events alone say, as one would have applied them one by one to a table without Millrace.
    private static func model(_ saves: [Save]) -> [String] {
        var rows: [Int: Save] = [:]
        var waiting: [Int: Save] = [:]
        func isFree(_ save: Save) -> Bool {
            guard let values = save.values else { return true }
            return !rows.values.contains { other in
                other.user != save.user
                    && other.values.map { $0.name == values.name || $0.email == values.email } == true
            }
        }
        for save in Set(saves).sorted(by: { $0.order < $1.order }) where !(save.isInvalid && save.values != nil) {
            waiting[save.user] = save
            while let next = waiting.values.filter(isFree).min(by: { $0.order < $1.order }) {
                rows[next.user] = next
                waiting[next.user] = nil
            }
        }
        let shown = rows.values.map { save in
            save.values.map { "\(save.user) name \($0.name) \($0.email)@example.org" } ?? "\(save.user) - -"
        }
        return (shown + waiting.values.map { "waiting \($0.user) \($0.id)" }).sorted()
    }

    @Test(arguments: [1, 2, 3, 4, 5, 6] as [UInt64])
    func `rows are what they would be if all events were applied in their order`(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let saves = (0..<120).map { _ in Save(random: &generator) }
        let rig = try Rig("contention \(seed)")
        for batchMax in [1, 7, 120] {
            try rig.clear()
            var (given, rest) = ([Save](), saves.shuffled(using: &generator)[...])
            while !rest.isEmpty {
                let batch = Array(rest.prefix(Int.random(in: 1...batchMax, using: &generator)))
                rest = rest.dropFirst(batch.count)
                given += batch
                try rig.first.add(batch)
                // At every moment it is what the events so far say.
                try #expect(rig.state() == Self.model(given), "seed \(seed), \(given.count) events")
            }
            try rig.first.add(Array(saves.prefix(30)))
            try #expect(rig.state() == Self.model(saves), "seed \(seed), some twice")
        }
    }

    @Test func `an email that changes hands ends with the one who took it, in any order`() throws {
        let saves = [
            Save(101, email: 1, second: 0), Save(102, email: 1, second: 2), Save(101, email: 2, second: 1),
        ]
        let rig = try Rig("hands")
        for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
            try rig.clear()
            for index in order { try rig.first.add([saves[index]]) }
            try #expect(
                rig.state() == ["101 name 101 2@example.org", "102 name 102 1@example.org"], "order \(order)")
        }
    }

    @Test func `who waits is told for what, keeps the row it had, and goes in when the value is free`() throws {
        let rig = try Rig("told")
        try rig.first.add([Save(1, email: 1, second: 0), Save(2, email: 2, second: 1)])
        let outcome = try rig.first.add([Save(2, email: 1, second: 2)])
        #expect(outcome.parkedCount == 1)
        let parked = try rig.first.connection.execute(
            "SELECT code, sqlstate, constraint_name, message, key FROM projections.parked")
        #expect(parked.rowCount == 1)
        #expect(parked.string(0, 0) == "waiting" && parked.string(0, 1) == "23505")
        #expect(parked.string(0, 2) == "workspaces_users_email_key" && parked.string(0, 4) == "2")
        #expect(parked.string(0, 3) == "waits for (tenant_id, email) = (0, 1@example.org), which 1 has")
        #expect(try rig.state().prefix(2) == ["1 name 1 1@example.org", "2 name 2 2@example.org"])
        // The holder's own saves change nothing, until one lets the value go.
        try rig.first.add([Save(1, email: 1, second: 3)])
        #expect(try rig.state().count == 3)
        try rig.first.add([Save(1, email: 3, second: 4)])
        #expect(try rig.state() == ["1 name 1 3@example.org", "2 name 2 1@example.org"])
        #expect(try rig.first.connection.execute("SELECT count(*) FROM projections.parked").int(0, 0) == 0)
    }

    @Test func `a newer good save ends what was parked of its entity for good`() throws {
        let rig = try Rig("made good")
        var bad = Save(1, email: 1, second: 0)
        bad.isInvalid = true
        var worse = Save(2, email: 2, second: 5)
        worse.isInvalid = true
        #expect(try rig.first.add([bad, worse]).parkedCount == 2)
        func parked() throws -> Int? {
            try rig.first.connection.execute("SELECT count(*) FROM projections.parked").int(0, 0)
        }
        #expect(try parked() == 2)
        try rig.first.add([Save(1, email: 1, second: 1), Save(2, email: 2, second: 4)])
        // That of user 2 is older than what was refused.
        #expect(try parked() == 1)
        try rig.first.add([Save(2, email: 2, second: 6)])
        #expect(try parked() == 0)
    }

    @Test func `a row that someone else wrote takes part, and its event changes nothing`() throws {
        let rig = try Rig("checkout")
        try rig.first.connection.execute(
            """
            INSERT INTO projections.workspaces_users (id, username, email, event_at, event_id)
            VALUES (7, 'name 7', '1@example.org', to_timestamp(1795000005), '00000000-0000-0001-0000-000000001b5d')
            """)
        try rig.first.add([Save(8, email: 1, second: 9)])
        let waiting = "waiting 8 \(Save(8, email: 1, second: 9).id)"
        #expect(try rig.state() == ["7 name 7 1@example.org", waiting])
        try rig.first.add([Save(7, email: 1, second: 5)])
        #expect(try rig.state() == ["7 name 7 1@example.org", waiting])
        // An older event than either takes the value from both.
        try rig.first.add([Save(9, email: 1, second: 2)])
        #expect(try rig.state() == ["9 name 9 1@example.org", "waiting 7 \(Save(7, email: 1, second: 5).id)", waiting])
    }

    @Test(arguments: [11, 12, 13] as [UInt64])
    func `two sessions side by side come to what one alone does`(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let saves = (0..<400).map { _ in Save(random: &generator) }.shuffled(using: &generator)
        let rig = try Rig("side by side \(seed)")
        let batches = stride(from: 0, to: saves.count, by: 5).map { Array(saves[$0..<min($0 + 5, saves.count)]) }
        let (database, target) = (rig.database, rig.first.target)
        let threads = (3...4).map { slot in
            let own = batches.enumerated().filter { $0.offset % 2 == slot % 2 }.map(\.element)
            return BackgroundThread {
                let session = Session(try database.connect(), target, slot: slot)
                for batch in own { try session.add(batch) }
            }
        }
        for thread in threads { try thread.join() }
        try #expect(rig.state() == Self.model(saves), "seed \(seed)")
    }
}
