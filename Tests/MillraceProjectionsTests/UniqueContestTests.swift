import MillraceTestSupport
import Testing

@testable import MillraceProjections

struct UniqueContestTests {
    private struct Event {
        var entity: Int
        var values: [Int?]
    }

    private static func value(_ index: Int, _ number: Int) -> UniqueContest.Value {
        UniqueContest.Value(high: Int64(index), low: Int64(number))
    }

    private static func standings(_ events: [Event], entities: Int) -> [UniqueContest.Standing] {
        var contest = UniqueContest(entityCount: entities)
        for event in events {
            contest.apply(
                entity: event.entity,
                values: event.values.enumerated().map { index, number in number.map { value(index, $0) } })
        }
        return contest.standings()
    }

    /// As the words say it: after each event, the first that waits and is in nobody's way goes in, again and again.
    private static func model(_ events: [Event], entities: Int) -> [(row: Int?, waiting: Int?)] {
        var state = [(row: Int?, waiting: Int?)](repeating: (nil, nil), count: entities)
        func isFree(_ event: Int) -> Bool {
            for (entity, one) in state.enumerated() where entity != events[event].entity {
                guard let row = one.row else { continue }
                for (theirs, own) in zip(events[row].values, events[event].values) where own != nil && theirs == own {
                    return false
                }
            }
            return true
        }
        for event in events.indices {
            state[events[event].entity].waiting = event
            while let next = state.compactMap(\.waiting).filter(isFree).min() {
                state[events[next].entity] = (next, nil)
            }
        }
        return state
    }

    @Test(arguments: 1...40 as ClosedRange<UInt64>)
    func `each has the row that it would have if all were applied one by one`(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        let entities = Int.random(in: 2...9, using: &generator)
        let values = Int.random(in: 1...6, using: &generator)
        let events = (0..<200).map { _ in
            let isDeleted = Int.random(in: 0...7, using: &generator) == 0
            return Event(
                entity: Int.random(in: 0..<entities, using: &generator),
                values: (0..<2).map { _ in isDeleted ? nil : Int.random(in: 1...values, using: &generator) })
        }
        for count in [1, 2, 5, 20, 100, 200] {
            let found = Self.standings(Array(events[..<count]), entities: entities)
            let expected = Self.model(Array(events[..<count]), entities: entities)
            #expect(found.map(\.row) == expected.map(\.row), "seed \(seed), \(count) events")
            #expect(found.map(\.waiting?.event) == expected.map(\.waiting), "seed \(seed), \(count) events")
        }
    }

    @Test func `who waits is told which index it is, and who holds the value`() {
        let standings = Self.standings(
            [
                Event(entity: 0, values: [1, 1]), Event(entity: 1, values: [2, 2]), Event(entity: 2, values: [3, 2]),
                Event(entity: 1, values: [2, 1]),
            ], entities: 3)
        #expect(standings[1] == .init(row: 1, waiting: .init(event: 3, index: 1, holder: 0)))
        #expect(standings[2] == .init(row: nil, waiting: .init(event: 2, index: 1, holder: 1)))
    }

    @Test func `of many who wait for one value, each goes in when it is free`() {
        let count = 20_000
        var contest = UniqueContest(entityCount: count)
        for entity in 0..<count { contest.apply(entity: entity, values: [Self.value(0, 0)]) }
        // Each leaves in its turn; that this ends at all says that nobody looks at all the others each time.
        for entity in 0..<count { contest.apply(entity: entity, values: [Self.value(0, entity + 1)]) }
        #expect(contest.standings().allSatisfy { $0.waiting == nil })
        #expect(contest.standings().map(\.row) == Array(count..<2 * count))
    }
}
