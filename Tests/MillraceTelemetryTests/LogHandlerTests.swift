import Logging
import MillraceTelemetry
import Synchronization
import Testing

struct LogHandlerTests {
    private final class Lines: Sendable {
        let text = Mutex("")

        func output(isJournal: Bool) -> LogOutput {
            LogOutput(isJournal: isJournal) { line in self.text.withLock { $0 += line } }
        }
    }

    private struct Broken: Error, CustomStringConvertible {
        let description = "it broke"
    }

    private func lines(isJournal: Bool, _ format: LogFormat, _ use: (inout Logger) -> Void) -> String {
        let lines = Lines()
        let output = lines.output(isJournal: isJournal)
        var logger = Logger(label: "spool") { label in
            switch format {
            case .text: TextLogHandler(label: label, level: .info, output: output)
            case .json: JSONLogHandler(label: label, level: .info, output: output)
            }
        }
        use(&logger)
        return lines.text.withLock { $0 }
    }

    @Test func `a line for people has its fields in order`() {
        let text = lines(isJournal: true, .text) { logger in
            logger.error("segment damaged", metadata: [.segment: "7", .hint: "look at \"it\"\n", .count: ""])
        }
        #expect(text == "<3>spool: segment damaged count=\"\" hint=\"look at \\\"it\\\"\\n\" segment=7\n")
    }

    @Test func `the level and time are said where there is no journal`() {
        let text = lines(isJournal: false, .text) { $0.notice("spool full", metadata: [.bytes: "5"]) }
        #expect(text.wholeMatch(of: /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z notice spool: spool full bytes=5\n/) != nil)
    }

    @Test func `a JSON line is one object`() {
        let text = lines(isJournal: false, .json) { logger in
            logger[.spoolID] = "x"
            logger.warning("a \"b\"\n\u{1}", metadata: ["list": ["a", "b"], "level": "mine", "map": ["k": "v"]])
        }
        #expect(text.prefixMatch(of: /\{"time":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z",/) != nil)
        #expect(
            text.hasSuffix(
                #""level":"warning","label":"spool","message":"a \"b\"\n\u0001","level_":"mine","list":["a","b"],"#
                    + #""map":{"k":"v"},"spool_id":"x"}"# + "\n"))
    }

    @Test func `an error comes with its line, a level below the least does not`() {
        let text = lines(isJournal: true, .json) { logger in
            logger.debug("not this", metadata: [.code: "x"])
            logger.error("write failed", error: Broken(), metadata: ["code": "spool_failed"])
        }
        #expect(
            text
                == "<3>{\"level\":\"error\",\"label\":\"spool\",\"message\":\"write failed\",\"code\":\"spool_failed\","
                + "\"error\":\"it broke\"}\n")
    }

    @Test func `only the journal's own stream is the journal`() {
        #expect(!LogOutput.isJournal([:]))
        #expect(!LogOutput.isJournal(["JOURNAL_STREAM": "0:1"]))
    }
}
