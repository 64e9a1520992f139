import Testing

@testable import MillraceBench

struct AckBookTests {
    private func answer(_ book: inout AckBook, _ count: Int) -> [AckBook.Answered] {
        var answered: [AckBook.Answered] = []
        book.answer(count) { answered.append($0) }
        return answered
    }

    @Test func `lines that went out together are told together`() {
        var book = AckBook(schedule: nil, batch: 1)
        book.sent(.init(lines: 800, firstTick: 0, sentAt: 10, isMeasured: false))
        book.sent(.init(lines: 200, firstTick: 0, sentAt: 20, isMeasured: true))
        #expect(book.inFlight == 1000)
        #expect(answer(&book, 500) == [.init(lines: 500, intendedAt: 10, sentAt: 10, isMeasured: false)])
        #expect(
            answer(&book, 400) == [
                .init(lines: 300, intendedAt: 10, sentAt: 10, isMeasured: false),
                .init(lines: 100, intendedAt: 20, sentAt: 20, isMeasured: true),
            ])
        #expect(book.inFlight == 100)
        #expect(answer(&book, 0).isEmpty)
    }

    @Test func `in the open loop each tick counts from its own time`() {
        let schedule = OpenLoopSchedule(startedAt: 0, rate: 1e9, batch: 2, connections: 3)
        var book = AckBook(schedule: schedule, batch: 2)
        // Ticks 1, 4 and 7 of this connection were late and went out in one go; tick 7 has one line only.
        book.sent(.init(lines: 5, firstTick: 1, sentAt: 100, isMeasured: true))
        #expect(answer(&book, 1) == [.init(lines: 1, intendedAt: 2, sentAt: 100, isMeasured: true)])
        #expect(
            answer(&book, 4) == [
                .init(lines: 1, intendedAt: 2, sentAt: 100, isMeasured: true),
                .init(lines: 2, intendedAt: 8, sentAt: 100, isMeasured: true),
                .init(lines: 1, intendedAt: 14, sentAt: 100, isMeasured: true),
            ])
    }

    @Test func `entries are forgotten, and the order stays`() {
        var book = AckBook(schedule: nil, batch: 1)
        var expected: Int64 = 0
        for round in 0..<3000 {
            book.sent(.init(lines: 2, firstTick: 0, sentAt: Int64(round), isMeasured: true))
            // Three lines of lead.
            guard book.inFlight > 3 else { continue }
            for answered in answer(&book, 2) {
                #expect(answered.sentAt >= expected)
                expected = answered.sentAt
            }
        }
        #expect(book.inFlight == 2)
    }
}
