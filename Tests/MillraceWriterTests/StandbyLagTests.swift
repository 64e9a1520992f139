import Testing

@testable import MillraceWriter

struct StandbyLagTests {
    private let start = ContinuousClock.now

    private func at(_ seconds: Int) -> ContinuousClock.Instant { start + .seconds(seconds) }

    private func standby(_ name: String?, _ bytes: UInt64?) -> StandbyRequirement.Standby {
        StandbyRequirement.Standby(name: name, replayed: bytes.map { LogPosition(bytes: $0) })
    }

    private func looked(
        _ lag: inout StandbyLag, second: Int, _ standbys: [StandbyRequirement.Standby],
        beside requirement: StandbyRequirement = .none, retain: Int = 100
    ) -> (slowest: StandbyLag.Slowest?, isNew: Bool) {
        lag.looked(
            end: LogPosition(bytes: UInt64(1000 + second)), standbys, beside: requirement, retain: .seconds(retain),
            at: at(second))
    }

    @Test func `a standby that stands still is near, then beyond, then fine again, each told once`() {
        var lag = StandbyLag()
        var told: [(Int, StandbyLag.Standing?)] = []
        for second in 0...150 {
            // It replays up to second 10, and all again from second 140 on.
            let replayed = UInt64(1000 + (second >= 140 ? second : min(second, 10)))
            let (slowest, isNew) = looked(&lag, second: second, [standby("a", replayed)])
            if isNew { told.append((second, slowest?.standing)) }
        }
        #expect(told.map(\.0) == [91, 111, 140])
        #expect(told.map(\.1) == [.near, .beyond, .fine])
    }

    @Test func `the slowest one counts, and none that segments wait for`() {
        let standbys = [standby("a", 1050), standby("b", 1010), standby("c", 1060)]
        let cases: [(StandbyRequirement, String?, Int)] = [
            (.none, "b", 90), (.named(["b"]), "a", 50), (.named(["a", "b"]), "c", 40), (.all, nil, 0),
        ]
        for (requirement, slowest, seconds) in cases {
            var lag = StandbyLag()
            for second in 0..<100 { _ = looked(&lag, second: second, []) }
            let found = looked(&lag, second: 100, standbys, beside: requirement).slowest
            #expect(found?.name == slowest)
            if slowest != nil { #expect(found?.lag == .seconds(seconds)) }
        }
    }

    @Test func `what is hidden is not known, and one that left is no alarm`() {
        var lag = StandbyLag()
        for second in 0..<200 { _ = looked(&lag, second: second, [standby("a", 1000)]) }
        #expect(looked(&lag, second: 200, [standby("a", 1000)]).slowest?.standing == .beyond)
        let hidden = looked(&lag, second: 201, [standby(nil, nil)])
        #expect(hidden.slowest == nil && hidden.isNew)
        #expect(!looked(&lag, second: 202, []).isNew)
    }

    @Test func `one that keeps up is never told of, however short lines are kept`() {
        var lag = StandbyLag()
        for second in 0..<100 {
            let (slowest, isNew) = looked(&lag, second: second, [standby("a", UInt64(999 + second))], retain: 0)
            #expect(slowest?.standing == .fine && !isNew)
        }
    }

    @Test func `a finding names the standby, the lag and the setting`() throws {
        let near = StandbyLag.Slowest(name: "reserve", lag: .seconds(3000), standing: .near)
        let finding = try #require(near.finding)
        #expect(finding.contains("reserve") && finding.contains("3000 s") && finding.contains("spool.retain"))
        #expect(StandbyLag.Slowest(name: "a", lag: .zero, standing: .fine).finding == nil)
    }
}
