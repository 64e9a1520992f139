import MillraceEvent
import Testing

@testable import MillraceTreatment

struct RuleSetTests {
    private static let id = "0192b1a4-7c3e-4a51-9f0e-2d6c1b8e4f70"

    private func event(_ type: String, _ more: String = "") -> String { #"{"event_type":"\#(type)"\#(more)}"# }

    @Test(arguments: [
        ("order.placed", 0, ["exact", "prefix", "all"]), ("order.paid", 0, ["prefix", "all"]),
        ("order.item.added", 0, ["deeper", "prefix", "all"]),
        ("order", 0, ["all"]), ("orders.placed", 0, ["all"]),
        ("order.placed", 7, ["exact", "prefix", "tenant", "all"]),
    ])
    func `rules that an event goes by are found by its type and tenant, in the file's order`(
        type: String, tenant: Int32, names: [String]
    ) throws {
        // Each of them is against every event; one after the other is taken away.
        let all = [
            ("exact", #"event_types = "order.placed""#), ("deeper", #"event_types = ["x", "order.item.*"]"#),
            ("prefix", #"event_types = "order.*""#), ("tenant", "tenants = [7, 9]"), ("all", ""),
        ]
        var left = all
        for name in names {
            let toml = left.map { "[[rule]]\nname = \"\($0.0)\"\n\($0.1)\nschema = \"false\"\n" }.joined()
            #expect(try RuleJudge(toml).verdict(event(type), tenant: tenant)?.rule == name)
            left.removeAll { $0.0 == name }
        }
        let toml = left.map { "[[rule]]\nname = \"\($0.0)\"\n\($0.1)\nschema = \"false\"\n" }.joined()
        #expect(try RuleJudge(toml).verdict(event(type), tenant: tenant) == nil)
    }

    @Test func `types are allowed and denied by name and by beginning`() throws {
        let judge = try RuleJudge(
            """
            [[rule]]
            name = "known"
            allow = ["shop.*", "page"]
            [[rule]]
            name = "debug"
            deny = "shop.debug.*"
            action = "quarantine"
            """)
        for kept in ["shop.order", "page", "shop.debug"] { #expect(try judge.treatment(event(kept)) == .keep) }
        for refused in ["pages", "page.viewed", "other"] {
            #expect(try judge.verdict(event(refused))?.refusal.code == .deniedType)
        }
        let refusal = Refusal(.deniedType, "rule debug: this event_type is not wanted here")
        #expect(try judge.treatment(event("shop.debug.trace")) == .quarantine(refusal))
    }

    @Test func `rules with one schema judge each by itself, and name themselves`() throws {
        let judge = try RuleJudge(
            ["cart", "order"].map { type in
                """
                [[rule]]
                name = "\(type).total"
                event_types = "\(type)"
                action = "\(type == "cart" ? "refuse" : "quarantine")"
                schema = '''{"type": "object", "required": ["total"]}'''

                """
            }.joined())
        for type in ["cart", "order"] {
            let kept = try judge.treatment(event(type, ",\"payload\":{\"total\":1}"))
            #expect(kept == .keep)
            #expect(try judge.verdict(event(type))?.refusal.message.contains("\(type).total") == true)
        }
        guard case .quarantine = try judge.treatment(event("order")) else {
            Issue.record("the second rule quarantines")
            return
        }
        guard case .refuse = try judge.treatment(event("cart")) else {
            Issue.record("the first rule refuses")
            return
        }
    }

    @Test func `a share of events is sampled by their ids, the same ones each time`() throws {
        func judge(_ share: Double) throws -> RuleJudge {
            try RuleJudge("[[rule]]\nname = \"some\"\nsample = \(share)\n")
        }
        let (tenth, half) = (try judge(0.1), try judge(0.5))
        var kept = (tenth: 0, half: 0)
        for number in 0..<10_000 {
            let line = event("t", ",\"id\":\"\(UniqueID(high: UInt64(number) << 16 | 0x4000, low: 1 << 63 | 12345))\"")
            let isInTenth = try tenth.treatment(line) == .keep
            let isInHalf = try half.treatment(line) == .keep
            #expect(try (tenth.treatment(line) == .keep) == isInTenth)
            #expect(isInHalf || !isInTenth, "what a smaller share keeps, a larger one does")
            kept.tenth += isInTenth ? 1 : 0
            kept.half += isInHalf ? 1 : 0
        }
        #expect((900...1100).contains(kept.tenth) && (4800...5200).contains(kept.half))
        #expect(try tenth.verdict(event("t", ",\"id\":\"\(Self.id)\""), samples: false) == nil)
    }

    @Test func `an id is sampled in or out as XXH64 of its 16 bytes says`() throws {
        // xxhsum -H64 of the bytes 0192b1a47c3e4a519f0e2d6c1b8e4f70.
        let hash: UInt64 = UniqueID(Self.id).map { id in id.bytes.withUnsafeBytes { XXH64.hash($0) } } ?? 0
        let share = Double(hash) * 0x1p-64
        for (sample, isKept) in [(share * 1.001, true), (share * 0.999, false)] {
            let judge = try RuleJudge("[[rule]]\nname = \"some\"\nsample = \(sample)\n")
            #expect(try (judge.treatment(event("t", ",\"id\":\"\(Self.id)\"")) == .keep) == isKept)
        }
    }

    @Test func `users and conversations are kept or left out whole`() throws {
        let judge = try RuleJudge(
            """
            [[rule]]
            name = "users"
            sample = 0.5
            sample_by = "user_id"
            [[rule]]
            name = "talks"
            lines = "saves"
            sample = 0.5
            """)
        var fates: Set<Bool> = []
        for user in 0..<40 {
            let id = UniqueID(high: UInt64(user) << 32 | 0x4000, low: 1 << 63)
            let events = try (0..<5).map { number in
                try judge.treatment(
                    event(
                        "t",
                        ",\"user_id\":\"\(id)\",\"id\":\"\(UniqueID(high: UInt64(number) << 16 | 0x4000, low: 1 << 63 | 7))\""
                    ))
                    == .keep
            }
            let saves = try (0..<5).map { number in
                try judge.treatment(
                    #"{"conversation_id":"c\#(user)","question":"q\#(number)","response":"r","user_id":"\#(id)"}"#)
                    == .keep
            }
            #expect(Set(events).count == 1 && Set(saves).count == 1)
            fates.formUnion(events + saves)
        }
        #expect(fates == [true, false])
    }

    @Test func `events without an id are sampled one by one`() throws {
        let judge = try RuleJudge("[[rule]]\nname = \"half\"\nsample = 0.5\n")
        let kept = try (0..<2000).count { _ in try judge.treatment(event("same")) == .keep }
        #expect((800...1200).contains(kept))
    }

    @Test func `saves have rules of their own, and a schema of the line or of its metadata`() throws {
        let judge = try RuleJudge(
            """
            [[rule]]
            name = "source"
            lines = "saves"
            checks = "line"
            schema = '{"properties":{"source":{"enum":["web","app"]}},"required":["source"]}'
            action = "quarantine"
            [[rule]]
            name = "metadata"
            lines = "saves"
            schema = '{"required":["locale"]}'
            """)
        func save(_ more: String) -> String {
            #"{"conversation_id":"c","question":"q","response":"r","user_id":"\#(Self.id)"\#(more)}"#
        }
        #expect(try judge.treatment(event("t")) == .keep)
        #expect(try judge.treatment(save(#","source":"web","metadata":{"locale":"de"}"#)) == .keep)
        #expect(
            try judge.treatment(save("")) == .quarantine(Refusal(.schema, "rule source: /source is missing")))
        #expect(
            try judge.treatment(save(#","source":"app""#))
                == .refuse(Refusal(.schema, "rule metadata: /metadata/locale is missing")))
    }

    @Test func `a rule may ask for fields beside the payload`() throws {
        let judge = try RuleJudge(
            """
            [[rule]]
            name = "users"
            checks = "line"
            schema = '''{"required": ["user_id"], "properties": {"user_id": {"type": "string"}, "payload": {"required": ["a"]}}}'''
            """)
        #expect(
            try judge.verdict(event("t", ",\"user_id\":null"))?.refusal.message
                == "rule users: /user_id has to be a string")
        #expect(try judge.verdict(event("t"))?.refusal.message == "rule users: /user_id is missing")
        #expect(
            try judge.verdict(event("t", ",\"payload\":{},\"user_id\":\"\(Self.id)\""))?.refusal.message
                == "rule users: /payload/a is missing")
        #expect(
            try judge.verdict(event("t", ",\"payload\" : {\"b\":[1,{\"a\":2}],\"a\":1},\"user_id\":\"\(Self.id)\""))
                == nil)
    }
}
