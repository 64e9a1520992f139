import MillraceEvent
import MillraceProjections
import MillraceTestSupport
import Testing

/// Of an append each event is a row, and an event is its id at its time.
@Suite(.onOwnThreads) struct AppendIdentityTests {
    private static let narrow = [("PRIMARY KEY (tenant_id, event_at, event_id)", "PRIMARY KEY (tenant_id, event_id)")]

    /// Lines of few ids and few times, each as often as it comes.
    private static func lines(using generator: inout SeededGenerator) -> [[UInt8]] {
        var rows = EventRows()
        for _ in 0..<200 {
            let (id, time) = (UInt64.random(in: 1...6, using: &generator), Int64.random(in: 0...5, using: &generator))
            rows.append(
                "line.added", #"{"id":\#(id),"text":"\#(time)"}"#, user: nil, createdAt: 1_795_000_000_000_000 + time,
                id: UniqueID(high: 1, low: id), tenant: Int32(id % 2))
        }
        return rows.rows
    }

    @Test(arguments: [1, 2, 3] as [UInt64])
    func `an id at two times is two rows, in any order and in any batches`(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let rig = try FoldRig("append identity \(seed)", pack: DemoPack.load())
        let lines = Self.lines(using: &generator)
        var rest = lines.shuffled(using: &generator)[...]
        while !rest.isEmpty {
            let batch = rest.prefix(Int.random(in: 1...50, using: &generator))
            rest = rest.dropFirst(batch.count)
            try rig.fold(batch)
        }
        try rig.fold(lines.shuffled(using: &generator))
        let found = try rig.strings("SELECT order_id || ' ' || text FROM projections.demo_lines ORDER BY 1")
        let wanted = Set(lines).count
        #expect(found.count == wanted && Set(found).count == wanted, "seed \(seed)")
    }

    @Test func `a table with the key of before works on, and its pack is told what to change`() throws {
        let pack = try DemoPack.load(replacing: Self.narrow)
        let errors = try #require(throws: PackErrors.self) { try FoldRig("narrow key, new", pack: pack) }
        #expect(errors.description.contains("make it (tenant_id, event_at, event_id)"))
        let rig = try FoldRig(pack: pack, isNew: false)
        var generator = SeededGenerator(seed: 4)
        let outcome = try rig.fold(Self.lines(using: &generator))
        #expect(outcome.folded == [rig.target.versionID] && outcome.parkedCount == 0)
        #expect(try rig.strings("SELECT count(*) FROM projections.demo_lines") == ["6"])
        let advice = try #require(rig.target.advice)
        #expect(advice.message.hasPrefix("demo_lines keeps one of two events"))
        #expect(advice.fix.contains("(tenant_id, event_at, event_id)") && advice.fix.contains("rebuild demo"))
        #expect(try FoldRig("wide key", pack: DemoPack.load()).target.advice == nil)
    }
}
