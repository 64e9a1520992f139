import MillraceEvent
import MillracePostgres
import MillraceProjections
import MillraceTestSupport
import Testing

/// Users of the pack `workspaces`, of whom events change single columns, two of them unique.
@Suite(.onOwnThreads) struct PatchTests {
    private enum Change {
        case save(name: Int, email: Int)
        case delete
        /// nil: not named. `first`: "" is null. `role`: "nobody" is refused, "" is null, which means the default.
        case patch(name: Int?, email: Int?, first: String?, role: String?)
    }

    private struct Event {
        var user: Int
        var change: Change
        var at: Int64
        var id: UniqueID

        var order: (Int64, UInt64, UInt64) { (at, id.high, id.low) }

        init(_ user: Int, _ change: Change, second: Int64) {
            self.user = user
            self.change = change
            at = 1_795_000_000_000_000 + second * 1_000_000
            id = UniqueID(high: 1, low: UInt64(user * 1000) + UInt64(second))
        }

        init(random generator: inout SeededGenerator) {
            func number() -> Int { Int.random(in: 1...7, using: &generator) }
            func some<Value>(_ value: Value) -> Value? { Bool.random(using: &generator) ? value : nil }
            user = Int.random(in: 1...6, using: &generator)
            switch Int.random(in: 0...9, using: &generator) {
            case 0: change = .delete
            case 1...3: change = .save(name: number(), email: number())
            default:
                let role = ["admin", "manager", "nobody", ""].randomElement(using: &generator) ?? ""
                let first = ["Ada", "Bob", ""].randomElement(using: &generator) ?? ""
                change = .patch(name: some(number()), email: some(number()), first: some(first), role: some(role))
            }
            at = 1_795_000_000_000_000 + Int64.random(in: 0...60, using: &generator) * 1_000_000
            id = UniqueID(high: generator.next(), low: generator.next())
        }

        var type: String {
            switch change {
            case .save: "workspaces.user_saved"
            case .delete: "workspaces.user_deleted"
            case .patch: "workspaces.user_changed"
            }
        }

        var payload: String {
            func quoted(_ text: String) -> String { text.isEmpty ? "null" : "\"\(text)\"" }
            var members = ["\"id\":\(user)"]
            switch change {
            case .save(let name, let email):
                members += ["\"username\":\"name \(name)\"", "\"email\":\"\(email)@example.org\""]
            case .delete: break
            case .patch(let name, let email, let first, let role):
                if let name { members.append("\"username\":\"name \(name)\"") }
                if let email { members.append("\"email\":\"\(email)@example.org\"") }
                if let first { members.append("\"first_name\":\(quoted(first))") }
                if let role { members.append("\"role\":\(quoted(role))") }
            }
            return "{\(members.joined(separator: ","))}"
        }
    }

    private struct State {
        var order: (Int64, UInt64, UInt64)
        var id: UniqueID
        /// nil: deleted.
        var row: (name: Int, email: Int, first: String, role: String)?

        func text(_ user: Int) -> String {
            row.map { "\(user) name \($0.name) \($0.email)@example.org \($0.first) \($0.role)" } ?? "\(user) - -  "
        }
    }

    /// Events one by one: what they make of their user, then who may have it.
    private static func model(_ events: [Event]) -> [String] {
        var latest: [Int: State] = [:]
        var rows: [Int: State] = [:]
        var waiting: [Int: State] = [:]
        func isFree(_ user: Int, _ state: State) -> Bool {
            guard let own = state.row else { return true }
            return !rows.contains { other, held in
                other != user && held.row.map { $0.name == own.name || $0.email == own.email } == true
            }
        }
        for event in events.sorted(by: { $0.order < $1.order }) {
            var state = State(order: event.order, id: event.id, row: nil)
            switch event.change {
            case .save(let name, let email): state.row = (name, email, "", "user")
            case .delete: break
            case .patch(let name, let email, let first, let role):
                guard var row = latest[event.user]?.row, role != "nobody" else { continue }
                row = (
                    name ?? row.name, email ?? row.email, first ?? row.first,
                    role.map { $0.isEmpty ? "user" : $0 } ?? row.role
                )
                state.row = row
            }
            latest[event.user] = state
            waiting[event.user] = state
            while let next = waiting.filter({ isFree($0.key, $0.value) }).min(by: { $0.value.order < $1.value.order }) {
                rows[next.key] = next.value
                waiting[next.key] = nil
            }
        }
        return (rows.map { $0.value.text($0.key) } + waiting.map { "waiting \($0.key) \($0.value.id)" }).sorted()
    }

    private final class Rig {
        let connection: PostgresConnection
        let target: FoldTarget
        let fold = BatchFold(slot: 2)

        init(_ name: String) throws {
            connection = try TestCluster.shared.database(name).connect()
            target = try PackFixture.install(PackLoader(directory: nil).load("workspaces"), on: connection)
        }

        @discardableResult
        func add(_ events: [Event]) throws -> FoldOutcome {
            var rows = EventRows()
            for event in events { rows.append(event.type, event.payload, user: nil, createdAt: event.at, id: event.id) }
            fold.begin([target])
            try connection.execute("BEGIN; SET LOCAL millrace.slot = 2")
            for row in rows.rows { row.withUnsafeBytes { fold.add(.analyticsEvents, rows: $0) } }
            let outcome = try fold.apply(batchID: 9, on: connection)
            #expect(outcome.failures.isEmpty && outcome.folded == [target.versionID])
            try connection.commit()
            return outcome
        }

        func state() throws -> [String] {
            let rows = try connection.execute(
                """
                SELECT id || ' ' || COALESCE(username, '-') || ' ' || COALESCE(email, '-') || ' '
                    || COALESCE(first_name, '') || ' ' || COALESCE(role, '')
                FROM projections.workspaces_users
                UNION ALL
                SELECT 'waiting ' || key || ' ' || event_id FROM projections.parked WHERE code = 'waiting'
                """)
            return (0..<rows.rowCount).map { rows.string($0, 0) ?? "" }.sorted()
        }
    }

    @Test(arguments: [1, 2, 3, 4, 5, 6] as [UInt64])
    func `a column is what the last event says that names it, in any order`(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let events = (0..<100).map { _ in Event(random: &generator) }
        let rig = try Rig("patches \(seed)")
        for batchMax in [1, 6, 100] {
            try rig.connection.execute(
                """
                TRUNCATE projections.workspaces_users, projections.workspaces_users__events,
                    projections.workspaces_users__values, projections.parked
                """)
            var (given, rest) = ([Event](), events.shuffled(using: &generator)[...])
            while !rest.isEmpty {
                let batch = Array(rest.prefix(Int.random(in: 1...batchMax, using: &generator)))
                rest = rest.dropFirst(batch.count)
                given += batch
                try rig.add(batch)
                try #expect(rig.state() == Self.model(given), "seed \(seed), \(given.count) events")
            }
            try rig.add(Array(events.prefix(30)))
            try #expect(rig.state() == Self.model(events), "seed \(seed), some twice")
        }
    }

    @Test func `a patch neither makes nor revives an entity, and waits for its save`() throws {
        let rig = try Rig("patch waits")
        try rig.add([Event(1, .patch(name: nil, email: nil, first: "Ada", role: "admin"), second: 5)])
        #expect(try rig.state() == [])
        try rig.add([Event(1, .save(name: 1, email: 1), second: 1)])
        #expect(try rig.state() == ["1 name 1 1@example.org Ada admin"])
        try rig.add([Event(1, .delete, second: 6)])
        try rig.add([Event(1, .patch(name: 2, email: nil, first: nil, role: nil), second: 7)])
        #expect(try rig.state() == ["1 - -  "])
    }

    @Test func `a patch that a CHECK refuses is parked, changes nothing, and is made good by the next`() throws {
        let rig = try Rig("patch refused")
        try rig.add([Event(1, .save(name: 1, email: 1), second: 1)])
        let outcome = try rig.add([Event(1, .patch(name: 2, email: nil, first: nil, role: "nobody"), second: 2)])
        #expect(outcome.parkedCount == 1)
        #expect(try rig.state() == ["1 name 1 1@example.org  user"])
        let parked = try rig.connection.execute(
            "SELECT concat_ws(' ', code, sqlstate, constraint_name, key, message) FROM projections.parked")
        #expect(
            parked.string(0, 0)
                == "database 23514 workspaces_users_role_check 1 new row for relation \"workspaces_users\" violates check "
                + "constraint \"workspaces_users_role_check\"")
        try rig.add([Event(1, .patch(name: 2, email: nil, first: nil, role: "admin"), second: 3)])
        #expect(try rig.state() == ["1 name 2 1@example.org  admin"])
        #expect(try rig.connection.execute("SELECT count(*) FROM projections.parked").int(0, 0) == 0)
    }
}
