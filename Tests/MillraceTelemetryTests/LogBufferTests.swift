import Testing

@testable import MillraceTelemetry

struct LogBufferTests {
    /// Ten bytes each.
    private func line(_ number: Int) -> String { "line    \(number)\n" }

    /// A buffer that expectations may change.
    private final class Subject {
        private var buffer: LogBuffer

        init(bytesMax: Int) { buffer = LogBuffer(bytesMax: bytesMax) }

        var hasWork: Bool { buffer.hasWork }
        var isIdle: Bool { buffer.isIdle }
        var bytes: Int { buffer.bytes }
        func add(_ line: String) -> Bool { buffer.add(line) }
        func take() -> [LogBuffer.Entry] { buffer.take() }
        func ended(_ entry: LogBuffer.Entry, isWritten: Bool) -> Int { buffer.ended(entry, isWritten: isWritten) }

        /// Takes what waits, and has all of it written.
        func write() -> [LogBuffer.Entry] {
            let entries = buffer.take()
            for entry in entries { _ = buffer.ended(entry, isWritten: true) }
            return entries
        }
    }

    @Test func `lines are taken in order, and their room is free once they are written`() {
        let buffer = Subject(bytesMax: 40)
        #expect(!buffer.hasWork && buffer.isIdle)
        #expect(buffer.add(line(1)) && buffer.add(line(2)))
        #expect(buffer.hasWork && !buffer.isIdle)
        let entries = buffer.take()
        #expect(entries == [.line(line(1)), .line(line(2))])
        #expect(!buffer.hasWork && !buffer.isIdle && buffer.bytes == 20)
        for entry in entries { #expect(buffer.ended(entry, isWritten: true) == 0) }
        #expect(buffer.isIdle && buffer.bytes == 0)
    }

    @Test func `what finds no room is dropped until half of it is free, and a notice stands in its place`() {
        let buffer = Subject(bytesMax: 40)
        for number in 1...4 { #expect(buffer.add(line(number))) }
        #expect(!buffer.add(line(5)))
        let entries = buffer.take()
        #expect(buffer.ended(entries[0], isWritten: true) == 0)
        #expect(!buffer.add(line(6)), "a quarter is free")
        #expect(buffer.ended(entries[1], isWritten: true) == 0)
        #expect(buffer.add(line(7)))
        for entry in entries[2...] { #expect(buffer.ended(entry, isWritten: true) == 0) }
        #expect(buffer.write() == [.notice(dropped: 2), .line(line(7))])
        #expect(buffer.isIdle)
    }

    @Test func `a notice comes by itself once all that waited is written`() {
        let buffer = Subject(bytesMax: 10)
        #expect(buffer.add(line(1)))
        #expect(!buffer.add(line(2)))
        #expect(buffer.write() == [.line(line(1))])
        #expect(buffer.hasWork)
        #expect(buffer.write() == [.notice(dropped: 1)])
        #expect(buffer.isIdle && buffer.add(line(3)))
        #expect(buffer.write() == [.line(line(3))])
    }

    @Test func `lines that can't be written are counted once and told with the next line`() {
        let buffer = Subject(bytesMax: 100)
        #expect(buffer.add(line(1)))
        #expect(buffer.ended(buffer.take()[0], isWritten: false) == 1)
        #expect(buffer.isIdle, "a reader that has gone gets no notices by themselves")
        #expect(buffer.add(line(2)))
        let entries = buffer.take()
        #expect(entries == [.notice(dropped: 1), .line(line(2))])
        #expect(buffer.ended(entries[0], isWritten: false) == 0)
        #expect(buffer.ended(entries[1], isWritten: false) == 1)
        #expect(buffer.add(line(3)))
        #expect(buffer.write() == [.notice(dropped: 2), .line(line(3))])
    }

    @Test func `a line longer than the buffer is dropped, and the notice comes at once`() {
        let buffer = Subject(bytesMax: 9)
        #expect(!buffer.add(line(1)))
        #expect(buffer.write() == [.notice(dropped: 1)])
    }

    @Test(arguments: [
        (LogFormat.text, true, "<4>log: log lines dropped count=3 hint="),
        (.json, true, #"<4>{"level":"warning","label":"log","message":"log lines dropped","count":"3","hint":"#),
    ])
    func `the notice has the form of every line`(format: LogFormat, isJournal: Bool, start: String) {
        let notice = LogOutput.notice(dropped: 3, format: format, isJournal: isJournal)
        #expect(notice.hasPrefix(start) && notice.hasSuffix("\n"))
    }
}
