import MillraceEvent
import MillracePostgres
import MillraceProjections
import MillraceTestSupport
import Testing

/// Rows that go with others, by the order of the events and not by that of their arrival.
@Suite(.onOwnThreads) struct CascadeTests {
    private static func rows(_ events: some Sequence<HouseModel.Event>) -> [[UInt8]] {
        var rows = EventRows()
        for event in events {
            rows.append(event.type, event.payload, user: 1, createdAt: event.time, id: event.id, tenant: event.tenant)
        }
        return rows.rows
    }

    /// An event of tenant 0; its id is its second.
    private static func event(_ second: UInt64, _ change: HouseModel.Event.Change) -> HouseModel.Event {
        HouseModel.Event(
            tenant: 0, time: 1_795_000_000_000_000 + Int64(second) * 1_000_000, id: UniqueID(high: 1, low: second),
            change: change)
    }

    /// What a plain count of the tables says of those that triggers keep.
    private static func expectCounts(_ rig: FoldRig, _ comment: Comment) throws {
        for (kept, counted) in [
            (
                "SELECT concat_ws(' ', tenant_id, house, kind, sum(n)) FROM projections.house_rooms_by_kind "
                    + "GROUP BY tenant_id, house, kind HAVING sum(n) <> 0 ORDER BY 1",
                "SELECT concat_ws(' ', tenant_id, house, kind, count(*)) FROM projections.house_rooms "
                    + "WHERE deleted_at IS NULL AND house IS NOT NULL GROUP BY tenant_id, house, kind ORDER BY 1"
            ),
            (
                "SELECT concat_ws(' ', tenant_id, room, sum(n), sum(watts)) FROM projections.house_lamps_by_room "
                    + "GROUP BY tenant_id, room HAVING sum(n) <> 0 ORDER BY 1",
                "SELECT concat_ws(' ', tenant_id, room, count(*), sum(watts)) FROM projections.house_lamps "
                    + "WHERE deleted_at IS NULL AND room IS NOT NULL GROUP BY tenant_id, room ORDER BY 1"
            ),
        ] {
            #expect(try rig.strings(kept) == rig.strings(counted), comment)
        }
        #expect(
            try rig.strings(
                "SELECT (SELECT count(*) FROM projections.house_houses__dying) + (SELECT count(*) FROM "
                    + "projections.house_rooms__dying)") == ["0"], comment)
    }

    @Test(arguments: Array(1...6) as [UInt64], [false, true])
    func `in any order, in any batches and twice, the tables are what the events in order make`(
        seed: UInt64, hasPatches: Bool
    ) throws {
        var generator = SeededGenerator(seed: seed)
        let rig = try FoldRig(
            "cascades \(seed) \(hasPatches)", pack: HousePack.load(replacing: hasPatches ? HousePack.patches : []))
        let events = HouseModel.random(
            Int.random(in: 20...700, using: &generator), hasPatches: hasPatches, using: &generator)
        let again = events.filter { _ in Int.random(in: 0..<6, using: &generator) == 0 }
        var rest = (events + again).shuffled(using: &generator)[...]
        let batchMax = [1, 7, 60, 400].randomElement(using: &generator) ?? 1
        while !rest.isEmpty {
            let batch = rest.prefix(Int.random(in: 1...batchMax, using: &generator))
            rest = rest.dropFirst(batch.count)
            let outcome = try rig.fold(Self.rows(batch), slot: Int.random(in: 0...15, using: &generator))
            #expect(outcome.folded == [rig.target.versionID] && outcome.parkedCount == 0)
        }
        #expect(try HouseModel.rows(rig) == HouseModel(events).rows, "seed \(seed)")
        try Self.expectCounts(rig, "seed \(seed)")
    }

    @Test(arguments: [1, 2] as [UInt64], [false, true])
    func `two sessions at once end where one in order does`(seed: UInt64, hasPatches: Bool) throws {
        var generator = SeededGenerator(seed: 100 + seed)
        let rig = try FoldRig(
            "cascades of two \(seed) \(hasPatches)",
            pack: HousePack.load(replacing: hasPatches ? HousePack.patches : []))
        let events = HouseModel.random(1200, hasPatches: hasPatches, using: &generator)
        let shuffled = events.shuffled(using: &generator)
        let threads = try (0..<2).map { writer in
            let session = try rig.database.connect()
            nonisolated(unsafe) let unsafe = (rig, session)  // SAFETY: each thread has its own session.
            return BackgroundThread {
                let own = stride(from: writer, to: shuffled.count, by: 2).map { shuffled[$0] }
                for start in stride(from: 0, to: own.count, by: 5) {
                    try unsafe.0.fold(Self.rows(own[start..<min(start + 5, own.count)]), slot: writer, on: unsafe.1)
                }
            }
        }
        for thread in threads { try thread.join() }
        #expect(try HouseModel.rows(rig) == HouseModel(events).rows, "seed \(seed)")
        try Self.expectCounts(rig, "seed \(seed)")
    }

    @Test func `what goes with a deleted row stays away when that one is saved again, and lives when it is itself`()
        throws
    {
        let rig = try FoldRig(pack: HousePack.load())
        let events = [
            Self.event(1, .house(1, saved: true)), Self.event(2, .room(5, house: 1, kind: "hall")),
            Self.event(3, .thing(room: 5, text: "old")), Self.event(4, .house(1, saved: false)),
            Self.event(5, .house(1, saved: true)), Self.event(6, .room(5, house: 1, kind: "bath")),
            Self.event(7, .thing(room: 5, text: "new")),
        ]
        for event in events { try rig.fold(Self.rows([event])) }
        #expect(
            try rig.strings("SELECT kind FROM projections.house_rooms WHERE deleted_at IS NULL") == ["bath"])
        #expect(
            try rig.strings("SELECT text FROM projections.house_things WHERE deleted_at IS NULL") == ["new"])
        // Late: between the deletion's house and the deletion, the room was another house's.
        try rig.fold(Self.rows([Self.event(3, .room(5, house: 2, kind: "hall"))]))
        #expect(
            try rig.strings("SELECT text FROM projections.house_things WHERE deleted_at IS NULL ORDER BY text") == [
                "new", "old",
            ])
    }

    @Test func `a patched row goes with its parent, whichever comes late, and a patch after that does not revive it`()
        throws
    {
        let rig = try FoldRig(pack: HousePack.load(replacing: HousePack.patches))
        func rooms() throws -> [String] {
            try rig.strings(
                "SELECT concat_ws(' ', kind, house, deleted_at IS NULL) FROM projections.house_rooms ORDER BY id")
        }
        func things() throws -> [String] {
            try rig.strings("SELECT text FROM projections.house_things WHERE deleted_at IS NULL ORDER BY text")
        }
        for event in [
            Self.event(1, .house(1, saved: true)), Self.event(2, .room(5, house: 1, kind: "hall")),
            Self.event(6, .roomChanged(5, house: nil, kind: "attic")),
            Self.event(8, .roomChanged(5, house: 2, kind: nil)), Self.event(7, .thing(room: 5, text: "lies there")),
        ] { try rig.fold(Self.rows([event])) }
        #expect(try rooms() == ["attic 2 t"])
        #expect(try things() == ["lies there"])
        // After it had moved.
        try rig.fold(Self.rows([Self.event(9, .house(1, saved: false))]))
        #expect(try rooms() == ["attic 2 t"])
        // Late, before it had: nothing of the patches after that is left.
        try rig.fold(Self.rows([Self.event(4, .house(1, saved: false))]))
        #expect(try rooms() == ["hall 1 f"])
        try rig.fold(Self.rows([Self.event(5, .roomChanged(5, house: 3, kind: "cellar"))]))
        #expect(try rooms() == ["hall 1 f"])
        #expect(try things() == [])
        // Late too: it had moved before the house went, so the patches count again.
        try rig.fold(Self.rows([Self.event(3, .roomChanged(5, house: 4, kind: nil))]))
        #expect(try rooms() == ["attic 2 t"])
        #expect(try things() == ["lies there"])
        // Saved in the house that went meanwhile.
        try rig.fold(Self.rows([Self.event(10, .room(5, house: 1, kind: "bath"))]))
        #expect(try rooms() == ["bath 1 t"])
        try rig.fold(Self.rows([Self.event(12, .roomChanged(5, house: nil, kind: "new"))]))
        try rig.fold(Self.rows([Self.event(11, .house(1, saved: false))]))
        #expect(try rooms() == ["bath 1 f"])
        #expect(try things() == [])
    }

    @Test func `what a table refuses is parked, and the others go with what they point to`() throws {
        let rig = try FoldRig(pack: HousePack.load())
        var rows = EventRows()
        rows.append("house.saved", #"{"id":1}"#, number: 1)
        rows.append("room.saved", #"{"id":1,"house":1,"kind":"no room"}"#, number: 2)  // CHECK
        rows.append("room.saved", #"{"id":"x","house":1}"#, number: 3)  // no key
        rows.append("room.saved", #"{"id":2,"house":"y"}"#, number: 4)  // no house
        rows.append("room.saved", #"{"id":3,"house":1}"#, number: 5)
        rows.append("thing.put", #"{"room":"z","text":"no room"}"#, number: 6)
        rows.append("thing.put", #"{"room":3,"text":"late"}"#, number: 7)
        rows.append("house.deleted", #"{"id":"w"}"#, number: 8)  // no key
        rows.append("house.deleted", #"{"id":1}"#, number: 9)
        try rig.fold(rows.rows)
        try rig.fold(rows.rows.reversed())
        let parked = [
            "rooms database 2", "rooms database 3", "rooms database 4", "things database 6", "houses database 8",
        ]
        #expect(try Set(rig.parked()) == Set(parked))
        #expect(
            try rig.strings("SELECT concat_ws(' ', id, deleted_at IS NULL) FROM projections.house_rooms ORDER BY id")
                == ["3 f"])
        #expect(
            try rig.strings("SELECT concat_ws(' ', text, deleted_at IS NULL) FROM projections.house_things")
                == ["late f"])
    }

    @Test(arguments: [
        (
            "from = \"houses\", by = \"house\" }]\n[[", "from = \"house\", by = \"house\" }]\n[[",
            "the nearest is houses"
        ),
        ("by = \"room\" }]", "by = \"rom\" }]", "by names rom, which is no column of things"),
        (
            "by = \"room\" }]", "by = { room = \"number\" } }]",
            "the key of rooms is id; write by = { rooms_id = \"id\" }"
        ),
        ("by = \"room\" }]", "column = \"room\" }]", "known key is"),
        ("cascade = [{ from = \"rooms\", by = \"room\" }]", "cascade = \"rooms\"", "wanted: a list"),
        (
            "columns = { name = \"payload.name\" }",
            "columns = { name = \"payload.name\" }\ncascade = [{ from = \"rooms\", by = \"name\" }]",
            "a deletion would go round"
        ),
        ("room bigint,\n    watts", "room text,\n    watts", "house_lamps.room is text; make it bigint"),
        ("text text,\n    deleted_at timestamptz,", "text text,", "has no column deleted_at"),
    ])
    func `a cascade that leads nowhere is told with its fix`(old: String, new: String, fix: String) throws {
        let errors = try #require(throws: PackErrors.self) {
            try FoldRig("cascade check", pack: HousePack.load(replacing: [(old, new)]))
        }
        #expect(errors.description.contains(fix), "\(errors)")
    }
}
