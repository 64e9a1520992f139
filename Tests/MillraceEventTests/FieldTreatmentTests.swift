import MillraceEvent
import Testing

@Suite struct FieldTreatmentTests {
    @Test func `a line without a listed value is kept as it came`() throws {
        let fields = try FieldFixture {
            $0.encrypt = ["payload.email", "order:payload.card"]
            $0.index = ["payload.email"]
        }
        #expect(try fields.treated(FieldFixture.event(#"{"mail":"a"}"#)) == nil)
        #expect(try fields.treated(FieldFixture.event(#"{"card":"4711"}"#)) == nil)
        #expect(try fields.treated(#"{"event_type":"x"}"#) == nil)
        let save =
            #"{"conversation_id":"c","question":"q","response":"r","user_id":"0a1b2c3d-4e5f-4678-9abc-def012345678"}"#
        #expect(try fields.treated(save) == nil)
        #expect(try FieldFixture { _ in }.treatment == nil)
    }

    @Test(arguments: [
        #"{"email":"ada@example.org"}"#, #"{"a":1,"email":"SECRET","z":[]}"#, #"{ "email" : "SECRET" }"#,
        #"{"e\u006Dail":"SECRET"}"#, #"{"email":{"of":["SECRET",1.50,null]}}"#, #"{"email":-12.5e3}"#,
        #"{"email":[true,"SECRET"],"email":"SECRET 2"}"#, #"{"email":"\"SECRET\\\u00e9😀"}"#, #"{"email":true}"#,
        #"{"deep":{"email":"stays"},"email":""}"#,
    ])
    func `an encrypted value reads as it came, and only for who has the key`(payload: String) throws {
        let fields = try FieldFixture { $0.encrypt = ["payload.email"] }
        let line = FieldFixture.event(payload)
        let treated = try #require(try fields.treated(line))
        #expect(!treated.contains("SECRET") && !treated.contains("ada@"))
        #expect(treated.contains(#"mr1.new."#))
        #expect(fields.opened(treated) == line)
        #expect(fields.opened(treated, tenant: 8) == treated)
        #expect(try FieldFixture(keys: "encrypt new \(FieldFixture.key(9))") { _ in }.opened(treated) == treated)
    }

    @Test func `equal values differ once they are encrypted`() throws {
        let fields = try FieldFixture { $0.encrypt = ["payload.*"] }
        let line = FieldFixture.event(#"{"a":"x","b":"x"}"#)
        let treated = try [#require(try fields.treated(line)), #require(try fields.treated(line))]
        let values = treated.flatMap { $0.split(separator: "\"").filter { $0.hasPrefix("mr1.") } }
        #expect(Set(values).count == 4)
    }

    @Test func `paths lead through objects and arrays`() throws {
        let fields = try FieldFixture {
            $0.encrypt = [#"payload.a.*.b"#, #"payload."x.y""#, "payload.list.1", "payload.more.*.c"]
        }
        let line = FieldFixture.event(
            #"{"a":[{"b":1},{"b":2,"c":3}],"x.y":4,"x":{"y":5},"list":[6,7,{"c":8}],"more":[{"c":9}]}"#)
        let treated = try #require(try fields.treated(line))
        let shape = treated.replacing(/"mr1[^"]*"/, with: "#")
        #expect(
            shape
                == FieldFixture.event(
                    #"{"a":[{"b":#},{"b":#,"c":3}],"x.y":#,"x":{"y":5},"list":[6,#,{"c":8}],"more":[{"c":#}]}"#))
        #expect(fields.opened(treated) == line)
    }

    @Test func `paths of one type leave other types alone`() throws {
        let fields = try FieldFixture {
            $0.encrypt = ["order:payload.card", "payload.email"]
            $0.drop = ["a:b:payload.card"]
        }
        let payload = #"{"card":1,"email":2}"#
        func shape(_ type: String) throws -> String {
            try #require(try fields.treated(FieldFixture.event(payload, type: type)))
                .replacing(/"mr1[^"]*"/, with: "#")
        }
        #expect(try shape("order") == FieldFixture.event(#"{"card":#,"email":#}"#, type: "order"))
        #expect(try shape("a:b") == FieldFixture.event(#"{"email":#}"#, type: "a:b"))
        #expect(try shape("c") == FieldFixture.event(#"{"card":1,"email":#}"#, type: "c"))
    }

    @Test(arguments: [
        (#"{"a":1}"#, "{}"), (#"{"a":1,"b":2}"#, #"{"b":2}"#), (#"{"b":2,"a":1}"#, #"{"b":2}"#),
        (#"{"a":1,"a":3}"#, "{}"), (#"{"b":2 , "a":1, "c":3,"a" : {"x":[]} , "a":5 }"#, #"{"b":2 , "c":3 }"#),
        (#"{"o":{"a":1,"d":2}}"#, #"{"o":{"a":1}}"#), (#"{"o":{"d":2}, "a":0}"#, #"{"o":{}}"#),
        (#"{"l":[1,2,3]}"#, #"{"l":[1,null,3]}"#), (#"{"b":{"a":1},"a":[{"a":2}]}"#, #"{"b":{"a":1}}"#),
    ])
    func `a dropped member leaves an object without it`(payload: String, wanted: String) throws {
        let fields = try FieldFixture { $0.drop = ["payload.a", "payload.o.d", "payload.l.1"] }
        #expect(try fields.treated(FieldFixture.event(payload)) == FieldFixture.event(wanted))
    }

    @Test func `what is dropped, masked, hashed or encrypted already stays as it is`() throws {
        let fields = try FieldFixture {
            $0.encrypt = ["payload.e", "question", "metadata.m"]
            $0.index = ["payload.e", "metadata.m"]
            $0.sha256 = ["payload.h"]
            $0.mask = ["payload.m"]
            $0.maskKeep = 4
            $0.drop = ["payload.d"]
        }
        let line = FieldFixture.event(#"{"e":"x","h":"y","m":"4711 0815 1234","d":1,"z":null}"#)
        let save =
            #"{"conversation_id":"c","question":"q","response":"r","#
            + #""user_id":"0a1b2c3d-4e5f-4678-9abc-def012345678","metadata":{"m":1}}"#
        for line in [line, save] {
            let once = try #require(try fields.treated(line))
            #expect(try #require(try fields.treated(once)) == once)
        }
    }

    @Test func `a value that only looks encrypted is encrypted`() throws {
        let fields = try FieldFixture { $0.encrypt = ["payload.e"] }
        var other = try FieldFixture { $0.encrypt = ["payload.e"] }
        other.tenant = 8
        let foreign = try #require(try other.treated(FieldFixture.event(#"{"e":"x"}"#)))
        for line in [foreign, FieldFixture.event(#"{"e":"mr1.new.AAAA"}"#), FieldFixture.event(#"{"e":"mr1..."}"#)] {
            let treated = try #require(try fields.treated(line))
            #expect(treated != line)
            #expect(fields.opened(treated) == line)
        }
    }

    @Test func `hashes are equal for equal texts of a tenant, and differ without the key`() throws {
        func hashes(_ payload: String, tenant: Int32 = 7, key: UInt8 = 4) throws -> [Substring] {
            var fields = try FieldFixture(keys: "hash h \(FieldFixture.key(key))") {
                $0.sha256 = ["payload.a", "payload.b"]
            }
            fields.tenant = tenant
            return try #require(try fields.treated(FieldFixture.event(payload))).split(separator: "\"")
                .filter { $0.hasPrefix("sha256.h.") }
        }
        let found = try hashes(#"{"a":"é1","b":"\u00e91"}"#)
        #expect(found.count == 2 && Set(found).count == 1 && found[0].count == "sha256.h.".count + 43)
        #expect(try hashes(#"{"b":"é1"}"#) == [found[0]])
        #expect(try hashes(#"{"a":"é1"}"#, tenant: 8) != [found[0]])
        #expect(try hashes(#"{"a":"é1"}"#, key: 5) != [found[0]])
    }

    @Test(arguments: [
        (0, #""secret""#, "***"), (4, #""4711 0815 4321""#, "***4321"), (4, #""short""#, "***"),
        (2, #"123456"#, "***56"), (4, #"{"a":1}"#, "***"), (1, #""ab\u00e9""#, "***é"), (1, "true", "***e"),
    ])
    func `a masked text keeps no more than its last characters`(keep: Int, value: String, wanted: String) throws {
        let fields = try FieldFixture {
            $0.mask = ["payload.v"]
            $0.maskKeep = keep
        }
        #expect(
            try fields.treated(FieldFixture.event("{\"v\":\(value)}")) == FieldFixture.event("{\"v\":\"\(wanted)\"}"))
    }

    @Test func `null is no value, and stays`() throws {
        let fields = try FieldFixture {
            $0.encrypt = ["payload.a"]
            $0.mask = ["payload.b"]
        }
        let line = FieldFixture.event(#"{"a":null,"b":null}"#)
        #expect(try fields.treated(line) == line)
    }

    @Test func `what is kept is one line, and so is what was encrypted`() throws {
        let fields = try FieldFixture { $0.encrypt = ["payload.a"] }
        let treated = try #require(try fields.treated("{\n\"event_type\":\"x\",\r\n\"payload\":{\"a\":{\n\"b\":1}}\n}"))
        #expect(!treated.contains { $0.isNewline })
        #expect(fields.opened(treated) == #"{ "event_type":"x",  "payload":{"a":{ "b":1}} }"#)
    }

    @Test func `a line that is too long once it is encrypted is refused, without a word of it`() throws {
        let fields = try FieldFixture { $0.encrypt = ["payload.list.*"] }
        let line = FieldFixture.event(#"{"list":["SECRET"\#(String(repeating: ",1", count: 1000))]}"#)
        let refusal = try #require(fields.refusal(line, lineBytes: 4096))
        #expect(refusal.code == .lineTooLong && !refusal.message.contains("SECRET"))
        #expect(fields.refusal(line) == nil)
        #expect(fields.refusal(line, limits: EventLimits(payloadTextBytes: 4096))?.code == .payloadTooLarge)
    }

    @Test func `what opens a value is told by its key's id, and a new key encrypts from then on`() throws {
        let before = try FieldFixture(keys: "encrypt old \(FieldFixture.key(2))") { $0.encrypt = ["payload.a"] }
        let after = try FieldFixture { $0.encrypt = ["payload.a"] }
        let line = FieldFixture.event(#"{"a":"x"}"#)
        let (old, new) = try (#require(try before.treated(line)), #require(try after.treated(line)))
        #expect(old.contains("mr1.old.") && new.contains("mr1.new."))
        #expect(after.opened(old) == line && after.opened(new) == line)
        #expect(before.opened(new) == new)
    }

    @Test func `a changed value opens for nobody`() throws {
        let fields = try FieldFixture { $0.encrypt = ["payload.a"] }
        let treated = Array(try #require(try fields.treated(FieldFixture.event(#"{"a":"x"}"#))).utf8)
        let start = try #require(treated.indices.first { treated[$0...].starts(with: "mr1.new.".utf8) })
        let end = try #require(treated[start...].firstIndex(of: UInt8(ascii: "\"")))
        for index in start..<end {
            var changed = treated
            changed[index] = changed[index] == UInt8(ascii: "B") ? UInt8(ascii: "C") : UInt8(ascii: "B")
            let text = String(decoding: changed, as: UTF8.self)
            #expect(fields.opened(text) == text)
        }
    }

    @Test func `only whole strings are opened, never names or parts of texts`() throws {
        let fields = try FieldFixture { $0.encrypt = ["payload.a"] }
        let treated = try #require(try fields.treated(FieldFixture.event(#"{"a":"x"}"#)))
        let value = try #require(treated.split(separator: "\"").first { $0.hasPrefix("mr1.") })
        for json in [#"{"\#(value)": 1}"#, #"["\"\#(value)\""]"#, #"["x\#(value)"]"#, #"["\#(value)"#] {
            #expect(fields.opened(json) == json)
        }
        #expect(fields.opened(#"[ "\#(value)","\#(value)" ]"#) == #"[ "x","x" ]"#)
    }

    @Test func `the blind index finds equal values of its path and tenant, with whatever key it was written`() throws {
        let fields = try FieldFixture {
            $0.encrypt = ["payload.contact.email", "payload.all.*"]
            $0.index = ["payload.contact.email", "payload.all.*"]
        }
        let payload = #"{"contact":{"email":"ada@example.org"},"all":["a","b","a"],"millrace_index":{"forged":1}}"#
        let treated = try #require(try fields.treated(FieldFixture.event(payload)))
        #expect(!treated.contains("ada@") && !treated.contains("forged"))
        func documents(_ text: String, _ name: String, tenant: Int32 = 7, _ keys: FieldKeys) -> [String] {
            FieldIndex.documents(text, name: name, tenant: tenant, keys).map { String($0.dropFirst().dropLast(2)) }
        }
        let email = try #require(documents("ada@example.org", "contact.email", fields.keys).first)
        #expect(treated.contains(email))
        let hash = try #require(documents("b", "all.*", fields.keys).first?.split(separator: "\"").last)
        #expect(treated.contains(hash))
        #expect(treated.contains(/"all\.\*":\["[^"]{22}","[^"]{22}"\]/))
        for other in [
            documents("ada@example.com", "contact.email", fields.keys),
            documents("ada@example.org", "contact.email", tenant: 8, fields.keys),
            documents("ada@example.org", "all.*", fields.keys),
        ] {
            #expect(other.count == 1 && !treated.contains(other[0]))
        }
        let rotated = try FieldKeys(
            FieldFixture.keyText.replacing("index i", with: "index j \(FieldFixture.key(11))\nindex i"))
        #expect(documents("ada@example.org", "contact.email", rotated).contains(email))
    }

    @Test func `the index goes into an empty payload, and a client's own is never kept`() throws {
        let fields = try FieldFixture {
            $0.encrypt = ["payload.a"]
            $0.index = ["payload.a"]
        }
        let only = try #require(try fields.treated(FieldFixture.event(#"{"millrace_index":{"a":["x"]}}"#)))
        #expect(only == FieldFixture.event("{}"))
        let treated = try #require(try fields.treated(FieldFixture.event(#"{"a":{"no":"text"}}"#)))
        #expect(!treated.contains("millrace_index"))
        #expect(fields.opened(treated) == FieldFixture.event(#"{"a":{"no":"text"}}"#))
    }

    @Test func `a save has one id however often and with whatever key its question is encrypted`() throws {
        let before = try FieldFixture(
            keys: "encrypt old \(FieldFixture.key(2))\nidentity d \(FieldFixture.key(5))"
        ) { $0.encrypt = ["question", "response"] }
        let after = try FieldFixture { $0.encrypt = ["question", "response"] }
        func save(_ fields: FieldFixture, question: String = "Why?", tenant: Int32 = 7) throws -> ConversationSave {
            var fields = fields
            fields.tenant = tenant
            let line =
                #"{"conversation_id":"c","question":"\#(question)","response":"SECRET","#
                + #""user_id":"0a1b2c3d-4e5f-4678-9abc-def012345678","timestamp":"2026-11-20T11:00:00Z"}"#
            let treated = try #require(try fields.treated(line))
            #expect(!treated.contains("SECRET") && !treated.contains("Why"))
            guard case .conversation(let save) = try fields.parser.parse(treated) else {
                throw Refusal(.invalidQuestion, "no save")
            }
            return save
        }
        let saves = try [save(before), save(before), save(after)]
        #expect(Set(saves.map(\.question)).count == 3)
        #expect(Set(saves.map { $0.id(tenant: 7) }).count == 1)
        #expect(try save(after, question: "Why!").id(tenant: 7) != saves[0].id(tenant: 7))
        #expect(try save(after, tenant: 8).id(tenant: 7) != saves[0].id(tenant: 7))
        var plain = saves[0]
        plain.question = "Why?"
        #expect(plain.id(tenant: 7) != saves[0].id(tenant: 7))
        #expect(after.treatment?.id(of: plain, tenant: 7) == saves[0].id(tenant: 7))
    }

    @Test func `a refused line opens as a line only`() throws {
        let fields = try FieldFixture { $0.encrypt = ["payload.a"] }
        let line = Array(#"{"event_type":"#.utf8)
        let sealed = try #require(line.withUnsafeBytes { fields.treatment?.sealed(line: $0, tenant: 7) })
        #expect(FieldKeys.isSealed(line: sealed))
        #expect(fields.keys.line(sealedAs: sealed, tenant: 7) == line)
        #expect(fields.keys.line(sealedAs: sealed, tenant: 8) == nil)
        #expect(fields.opened("\"\(sealed)\"") == "\"\(sealed)\"")
    }
}
