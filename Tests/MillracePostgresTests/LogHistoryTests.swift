import MillracePostgres
import Testing

struct LogHistoryTests {
    private let start = ContinuousClock.now

    private func at(_ seconds: Int) -> ContinuousClock.Instant { start + .seconds(seconds) }

    @Test func `the age is that of the last look whose end was replayed`() throws {
        var history = LogHistory()
        #expect(history.age(of: 5, at: at(0)) == nil)
        for second in 0...4 { history.add(1000 * (second + 1), at: at(second)) }
        let ages = try [5000, 4999, 4000, 1000].map { try #require(history.age(of: $0, at: at(6))) }
        #expect(ages.map(\.age) == [.seconds(2), .seconds(3), .seconds(3), .seconds(6)])
        #expect(ages.allSatisfy { !$0.isLeast })
        let unknown = try #require(history.age(of: 999, at: at(6)))
        #expect(unknown.isLeast && unknown.age == .seconds(6))
    }

    @Test func `a log that ends earlier than before is another one`() throws {
        var history = LogHistory()
        history.add(5000, at: at(0))
        history.add(4000, at: at(1))
        let age = try #require(history.age(of: 4500, at: at(2)))
        #expect(age.age == .seconds(1) && !age.isLeast && history.count == 1)
    }

    @Test(arguments: [(8192 * 5, 24), (1 << 24, 40), (3 << 20, 40)])
    func `the header of a page that holds nothing yet is nothing to wait for`(end: Int, header: Int) throws {
        var history = LogHistory()
        history.add(end + header, at: at(0))
        #expect(try #require(history.age(of: end, at: at(1))).isLeast == false)
        // Of one that holds something it is.
        history.add(end + header + 48, at: at(2))
        #expect(try #require(history.age(of: end, at: at(3))).age == .seconds(3))
    }

    @Test func `a long time of looks takes little room, and makes no age smaller than it is`() throws {
        var history = LogHistory()
        // Somewhere in a page of its own.
        func position(_ second: Int) -> Int { second * 8192 + 100 }
        for second in 0...10_000 { history.add(position(second), at: at(second)) }
        #expect(history.count <= LogHistory.sightsMax)
        for second in [10_000, 9990, 9900, 9000, 5000, 10] {
            let age = try #require(history.age(of: position(second), at: at(10_000))).age
            #expect(age >= .seconds(10_000 - second))
        }
        // Of the last minutes it is exact.
        #expect(try #require(history.age(of: position(9900), at: at(10_000))).age == .seconds(100))
    }
}
