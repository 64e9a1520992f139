import Testing

@testable import MillraceBench

struct RateSearchTests {
    /// Runs the search against a daemon that holds up to `capacity`.
    private func search(capacity: Double, first: Double = 1000, stepsMax: Int = 24) -> RateSearch {
        var search = RateSearch(p99MaxMicroseconds: 50_000, firstRate: first, stepsMax: stepsMax)
        while let rate = search.nextRate {
            search.stepEnded(rate: rate, sentRate: rate, p99Microseconds: rate <= capacity ? 900 : 2_000_000)
        }
        return search
    }

    @Test func `it doubles until a step fails, then bisects`() {
        let search = search(capacity: 5000)
        #expect(search.steps.map(\.rate) == [1000, 2000, 4000, 8000, 8000, 6000, 6000, 5000, 5500, 5500, 5250, 5250])
        #expect(search.highestHeld?.rate == 5000)
    }

    @Test(arguments: [37.0, 999, 1000, 1001, 64_321, 3_000_000])
    func `it ends within its precision of the capacity`(capacity: Double) throws {
        let rate = try #require(search(capacity: capacity).highestHeld?.rate)
        #expect(rate <= capacity)
        #expect(rate * (1 + RateSearch.precision) >= capacity)
    }

    @Test func `it halves when the first step fails, and ends with nothing when none holds`() {
        #expect(search(capacity: 300).steps.prefix(5).map(\.rate) == [1000, 1000, 500, 500, 250])
        let none = search(capacity: 0)
        #expect(none.highestHeld == nil)
        #expect(none.steps.last?.rate ?? 0 >= RateSearch.rateMin)
    }

    @Test func `a rate that fails once and holds then is held`() {
        var search = RateSearch(p99MaxMicroseconds: 1000, firstRate: 100, stepsMax: 9)
        search.stepEnded(rate: 100, sentRate: 100, p99Microseconds: 5000)
        #expect(search.nextRate == 100)
        search.stepEnded(rate: 100, sentRate: 100, p99Microseconds: 500)
        #expect(search.nextRate == 200)
        #expect(search.highestHeld?.rate == 100)
    }

    @Test func `its steps are bounded`() {
        #expect(search(capacity: .infinity, stepsMax: 7).steps.count == 7)
    }

    @Test func `a step fails, too, when the rate was not sent`() {
        var search = RateSearch(p99MaxMicroseconds: 1000, firstRate: 100, stepsMax: 3)
        #expect(!search.stepEnded(rate: 100, sentRate: 97.9, p99Microseconds: 10).held)
        #expect(search.stepEnded(rate: 50, sentRate: 49, p99Microseconds: 1000).held)
        #expect(!search.stepEnded(rate: 75, sentRate: 75, p99Microseconds: 1001).held)
    }
}
