import Testing

@testable import MillraceBench

struct OpenLoopScheduleTests {
    @Test func `ticks are due at even distances whatever happens`() {
        let schedule = OpenLoopSchedule(startedAt: 1000, rate: 1_000_000, batch: 10, connections: 4)
        #expect((0..<4).map(schedule.due) == [1000, 11_000, 21_000, 31_000])
        #expect(schedule.ticksDue(at: 999) == 0)
        #expect(schedule.ticksDue(at: 1000) == 1)
        #expect(schedule.ticksDue(at: 10_999) == 1)
        #expect(schedule.ticksDue(at: 11_000) == 2)
    }

    @Test(arguments: [0.37, 3.0, 7.0, 9999.9, 123_456.789, 3e6])
    func `ticks due and the time of a tick agree at any rate`(rate: Double) {
        let schedule = OpenLoopSchedule(startedAt: 5, rate: rate, batch: 3, connections: 1)
        for tick in [0, 1, 2, 1000, 12_345_678] {
            let due = schedule.due(tick)
            #expect(schedule.ticksDue(at: due) == tick + 1)
            #expect(schedule.ticksDue(at: due - 1) == tick)
            #expect(schedule.firstTick(at: due) == tick)
            #expect(schedule.firstTick(at: due + 1) == tick + 1)
        }
    }

    @Test func `ticks go to the connections in turn`() {
        let schedule = OpenLoopSchedule(startedAt: 0, rate: 1, batch: 1, connections: 4)
        // Connection 1 has the ticks 1, 5, 9 …
        #expect(schedule.count(from: 1, below: 1) == 0)
        #expect(schedule.count(from: 1, below: 2) == 1)
        #expect(schedule.count(from: 1, below: 5) == 1)
        #expect(schedule.count(from: 1, below: 6) == 2)
        #expect(schedule.tick(2, after: 1) == 9)
    }
}
