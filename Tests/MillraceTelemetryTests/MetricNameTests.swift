import MillraceTelemetry
import Testing

struct MetricNameTests {
    @Test(arguments: MetricName.allCases)
    func `each name says its stage and unit, each help is a sentence`(name: MetricName) {
        let text = name.rawValue
        #expect(text.hasPrefix("millrace_"))
        #expect(text.hasSuffix("_total") == (name.definition.kind == .counter))
        if name.definition.kind == .timer { #expect(text.hasSuffix("_seconds")) }
        #expect(name.definition.help.hasSuffix("."))
        #expect(!name.definition.help.hasSuffix(".."))
    }
}
