import MillraceEvent
import MillraceTreatment
import Testing

struct LinePolicyTests {
    private static let receivedAt = Timestamp(microseconds: 1_793_000_000_000_000)
    private static let rules = """
        [[rule]]
        name = "orders"
        event_types = "order"
        schema = '{"required": ["total"]}'
        action = "quarantine"

        [[rule]]
        name = "pages"
        event_types = "page"
        sample = 0.0000001

        [[rule]]
        name = "known"
        deny = ["no"]

        [[rule]]
        name = "saves"
        lines = "saves"
        checks = "line"
        schema = '{"properties": {"source": {"enum": ["web"]}}}'
        action = "quarantine"
        """
    private static let keys = """
        encrypt a AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE
        identity a AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAI
        """

    private static let page =
        #"{"event_type":"page","id":"0192b1a4-7c3e-4a51-9f0e-100000000003","payload":{"secret":"x"}}"#

    private let parser = EventParser()

    private func policy(rules: String? = rules, keys: String? = keys, _ encrypt: [String] = []) throws -> LinePolicy? {
        var fields = FieldsConfiguration()
        if keys == nil { fields.drop = encrypt } else { fields.encrypt = encrypt }
        return LinePolicy(
            rules: try rules.map { try RulesFile(text: $0, path: "rules.toml").rules },
            fields: try FieldTreatment.make(fields, keys: try keys.map { try FieldKeys($0) }), limits: EventLimits(),
            lineBytesMax: 1 << 20)
    }

    /// The fate of a line, and what was written.
    private func fate(
        _ line: String, _ policy: LinePolicy, retried wasJudged: Bool? = nil
    ) throws -> (LinePolicy.Fate, String) {
        var out: [UInt8] = []
        let padded = Array(line.utf8) + [UInt8](repeating: 0, count: EventParser.paddingBytes)
        let fate = try padded.withUnsafeBytes { padded in
            Result { () throws(Refusal) in
                let bytes = UnsafeRawBufferPointer(rebasing: padded[..<line.utf8.count])
                let kind = try parser.validate(bytes, limits: EventLimits(), receivedAt: Self.receivedAt)
                guard let wasJudged else {
                    return try policy.fate(
                        of: bytes, kind, tenant: 7, peer: "test", by: parser, receivedAt: Self.receivedAt, into: &out)
                }
                return try policy.fate(
                    ofRetried: bytes, wasJudged: wasJudged, tenant: 7, by: parser, receivedAt: Self.receivedAt,
                    into: &out)
            }
        }.get()
        return (fate, String(decoding: out, as: UTF8.self))
    }

    private func code(_ body: () throws -> Void) -> RefusalCode? {
        do {
            try body()
            return nil
        } catch {
            return (error as? Refusal)?.code
        }
    }

    @Test func `there is no policy where nothing is done to lines`() throws {
        #expect(try policy(rules: nil) == nil)
        #expect(try policy(rules: nil, ["payload.a"]) != nil)
    }

    @Test func `rules are asked before fields are treated, and each fate has its bytes`() throws {
        let policy = try #require(try policy(["payload.secret"]))
        #expect(policy.ruleCount == 4)
        #expect(try fate(#"{"event_type":"other"}"#, policy).0 == .keep)
        #expect(try fate(Self.page, policy).0 == .sampleOut)
        #expect(code { _ = try fate(#"{"event_type":"no"}"#, policy) } == .deniedType)
        let (replaced, line) = try fate(#"{"event_type":"other","payload":{"secret":"x"}}"#, policy)
        guard case .replace(let counts) = replaced else { throw Refusal(.schema, "not replaced") }
        #expect(counts[.encrypt] == 1 && line.hasPrefix(#"{"event_type":"other","payload":{"secret":"mr1."#))
        let (quarantined, letter) = try fate(#"{"event_type":"order","payload":{"secret":"xyz"}}"#, policy)
        #expect(quarantined == .quarantine)
        #expect(letter.contains(#""code":"schema""#) && letter.contains(#""quarantined":true"#))
        #expect(letter.contains(#""line":"mrl1."#) && !letter.contains("xyz"))
    }

    @Test func `a line that may not be kept as it came and can't be sealed is refused instead of quarantined`() throws {
        let policy = try #require(try policy(keys: nil, ["payload.secret"]))
        #expect(code { _ = try fate(#"{"event_type":"order"}"#, policy) } == .schema)
    }

    @Test func `a retried line is never sampled out, and is judged once`() throws {
        let policy = try #require(try policy(["payload.secret"]))
        let (page, _) = try fate(Self.page, policy, retried: false)
        guard case .replace = page else { throw Refusal(.schema, "not replaced") }
        #expect(code { _ = try fate(#"{"event_type":"order"}"#, policy, retried: false) } == .schema)
        #expect(try fate(#"{"event_type":"order"}"#, policy, retried: true).0 == .keep)
        let (replaced, written) = try fate(
            #"{"event_type":"order","payload":{"secret":"x"}}"#, policy, retried: true)
        guard case .replace = replaced else { throw Refusal(.schema, "not replaced") }
        guard case .event(let event) = try policy.parsed(Array(written.utf8), by: parser, receivedAt: Self.receivedAt)
        else { throw Refusal(.schema, "no event") }
        #expect(event.payload.hasPrefix(#"{"secret":"mr1."#))
    }

    @Test func `a save that is set aside has the id that it gets once it is retried`() throws {
        let policy = try #require(try policy(["question"]))
        func save(_ source: String) -> ConversationSave {
            ConversationSave(
                conversationID: "c", userID: UniqueID(high: 1, low: 2), question: "Why?", response: "r", source: source,
                metadata: "{}", createdAt: Self.receivedAt)
        }
        func line(_ save: ConversationSave) -> [UInt8] {
            Array(
                (#"{"conversation_id":"c","question":"Why?","response":"r","user_id":"\#(save.userID)","#
                    + #""timestamp":"\#(save.createdAt.rfc3339)","source":"\#(save.source)"}"#).utf8)
        }
        var out: [UInt8] = []
        func judge(_ save: ConversationSave) throws -> (LinePolicy.Fate, ConversationSave) {
            try policy.fate(
                of: save, line: line(save), tenant: 7, peer: "test", receivedAt: Self.receivedAt, into: &out)
        }
        let (kept, treated) = try judge(save("web"))
        guard case .replace = kept else { throw Refusal(.schema, "not replaced") }
        #expect(treated.question.hasPrefix("mr1."))
        let (aside, same) = try judge(save("app"))
        #expect(aside == .quarantine && same == save("app"))
        #expect(policy.id(of: save("app"), tenant: 7) == treated.id(tenant: 7))
        #expect(policy.id(of: save("app"), tenant: 7) != save("app").id(tenant: 7))
    }
}
