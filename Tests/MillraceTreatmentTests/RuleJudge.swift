import MillraceEvent

@testable import MillraceTreatment

/// Rules of a text, and what they say of lines.
struct RuleJudge {
    let file: RulesFile
    private let parser = EventParser()
    private static let receivedAt = Timestamp(microseconds: 1_793_000_000_000_000)

    init(_ toml: String) throws {
        file = try RulesFile(text: toml, path: "rules.toml")
    }

    /// One rule about all events with this schema of their payload.
    init(schema: String) throws {
        try self.init("[[rule]]\nname = \"test\"\nschema = '''\n\(schema)\n'''\n")
    }

    /// Nil: the line is kept.
    func verdict(_ line: String, tenant: Int32 = 0, samples: Bool = true) throws(Refusal) -> RuleVerdict? {
        let padded = Array(line.utf8) + [UInt8](repeating: 0, count: EventParser.paddingBytes)
        return try padded.withUnsafeBytes { padded in
            let bytes = UnsafeRawBufferPointer(rebasing: padded[..<line.utf8.count])
            return Result { () throws(Refusal) in
                _ = try parser.validate(bytes, limits: EventLimits(), receivedAt: Self.receivedAt)
                return file.rules.judge(bytes, of: tenant, by: parser, samples: samples)
            }
        }.get()
    }

    func treatment(_ line: String, tenant: Int32 = 0) throws(Refusal) -> LineTreatment {
        try verdict(line, tenant: tenant)?.treatment ?? .keep
    }

    /// What is said of the payload; nil: it fits.
    func misfit(payload: String) throws(Refusal) -> String? {
        try verdict(#"{"event_type":"t","payload":\#(payload)}"#)?.refusal.message
    }
}
