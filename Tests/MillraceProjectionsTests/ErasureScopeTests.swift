import MillraceEvent
import MillraceTestSupport
import Testing

@testable import MillraceProjections

/// What an erasure leaves of payloads and lines.
struct ErasureScopeTests {
    private static let id = "843d440a-a7a7-45ee-96df-3568c37384b9"
    private static let digits = id.replacing("-", with: "")
    private static let salt: [UInt8] = [1, 2, 3]

    private func scope(
        _ paths: [String], external: String? = nil, packs: [PackDefinition] = [], tenant: Int32 = 3
    ) throws -> ErasureScope {
        let id = external.map { ExternalUserID.id(of: $0, tenant: tenant) } ?? UniqueID(Self.id)
        let user = ErasedUser(tenant: tenant, id: try #require(id), external: external, salt: Self.salt)
        return ErasureScope([user], paths: try paths.map { try #require(ErasurePath($0)) }, packs: packs)
    }

    private var pseudonym: String {
        get throws { "\(ErasedUser(tenant: 3, id: try #require(UniqueID(Self.id)), salt: Self.salt).pseudonym)" }
    }

    private func left(_ payload: String, _ paths: [String], type: String = "page.viewed", isOwn: Bool = true) throws
        -> String
    {
        let left = try scope(paths).payload(Array(payload.utf8), type: type, tenant: 3, isOwn: isOwn)
        return left.map { String(decoding: $0, as: UTF8.self) } ?? payload
    }

    @Test(arguments: [
        ("email", #"{"email":"a@b","x":1}"#, #"{"email":""   ,"x":1}"#),
        ("email", #"{"\u0065mail":"a","email":"b","Email":"c"}"#, #"{"\u0065mail":"" ,"email":"" ,"Email":"c"}"#),
        ("a.b", #"{"a":{"b":1234,"c":"b"},"b":2}"#, #"{"a":{"b":0   ,"c":"b"},"b":2}"#),
        ("a", #"{"a":{"b":[1,"}"]}}"#, #"{"a":{}           }"#), ("a", #"{"a":[1,[2]]}"#, #"{"a":[]     }"#),
        ("a", #"{"a":true,"b":true}"#, #"{"a":null,"b":true}"#), ("a", #"{"a":null}"#, #"{"a":null}"#),
        ("a", #"{"a":5}"#, #"{"a":0}"#), ("a", #"{"a":-1.5e9}"#, #"{"a":0     }"#),
        (
            "items.*.note", #"{"items":[{"note":"x"},{"id":1},{"note":"yy"}]}"#,
            #"{"items":[{"note":"" },{"id":1},{"note":""  }]}"#
        ),
        ("items.1", #"{"items":["a","b","c"]}"#, #"{"items":["a","" ,"c"]}"#),
        ("*", #"{"a":1,"b":"x"}"#, #"{}             "#), ("a.b.c", #"{"a":{"b":"c"}}"#, #"{"a":{"b":"c"}}"#),
        ("a", #"[{"a":1}]"#, #"[{"a":1}]"#), ("*.a", #"[{"a":12}]"#, #"[{"a":0 }]"#), ("a", #"{}"#, #"{}"#),
        ("a", #"{"b":{"a":"x"}}"#, #"{"b":{"a":"x"}}"#), ("a", #"{"a":"}\",\"b\":\"x"}"#, #"{"a":""             }"#),
    ])
    func `listed places are blanked in as many bytes, and no other byte changes`(
        path: String, before: String, after: String
    )
        throws
    {
        #expect(before.utf8.count == after.utf8.count)
        #expect(try left(before, [path]) == after)
        // Others' are theirs.
        #expect(try left(before, [path], isOwn: false) == before)
        // To do it again changes nothing.
        #expect(try left(after, [path]) == after)
    }

    @Test(arguments: [
        (
            #"{"email":"mr1.k.AAAA","millrace_index":{"email":["abc"],"page":["def"]}}"#, ["email"],
            #"{"email":""          ,"millrace_index":{"email":[]     ,"page":["def"]}}"#
        ),
        (#"{"traits":"mr1.k.AAAA"}"#, ["traits.name"], #"{"traits":""          }"#),
        (#"{"traits":"sha256.k.AA"}"#, ["traits.name"], #"{"traits":""           }"#),
        (#"{"traits":"***4711"}"#, ["traits.name"], #"{"traits":""       }"#),
        (#"{"traits":"plain"}"#, ["traits.name"], #"{"traits":"plain"}"#),
        (#"{"millrace_index":{"traits":["a"]}}"#, ["traits.name"], #"{"millrace_index":{"traits":[]   }}"#),
        (#"{"millrace_index":{"address.*":["a"]}}"#, ["address.street"], #"{"millrace_index":{"address.*":[]   }}"#),
        (#"{"millrace_index":{"address.street":["a"]}}"#, ["address"], #"{"millrace_index":{"address.street":[]   }}"#),
        (#"{"millrace_index":{"\"a.b\"":["a"]}}"#, ["a"], #"{"millrace_index":{"\"a.b\"":["a"]}}"#),
        (#"{"millrace_index":{"emails":["a"]}}"#, ["email"], #"{"millrace_index":{"emails":["a"]}}"#),
        (#"{"millrace_index":{"a.b":["a"]}}"#, ["order.placed:a.b"], #"{"millrace_index":{"a.b":["a"]}}"#),
    ])
    func `what [fields] put in a listed place goes, and the blind index of it`(
        before: String, paths: [String], after: String
    )
        throws
    {
        #expect(try left(before, paths) == after)
        #expect(try left(before, paths, isOwn: false) == before)
    }

    @Test func `an id becomes the pseudonym wherever it stands, in any writing of it, and only the id`() throws {
        let (id, digits) = (Self.id, Self.digits)
        let other = try pseudonym
        let short = other.replacing("-", with: "")
        for (before, after) in [
            (#"{"a":"\#(id)"}"#, #"{"a":"\#(other)"}"#), (#"{"a":"\#(id.uppercased())"}"#, #"{"a":"\#(other)"}"#),
            (#"{"a":"x\#(digits)y"}"#, #"{"a":"x\#(short)y"}"#), (#"{"\#(id)":1}"#, #"{"\#(other)":1}"#),
            (#"{"a":"urn:uuid:\#(id),\#(id)"}"#, #"{"a":"urn:uuid:\#(other),\#(other)"}"#),
        ] {
            #expect(try left(before, [], isOwn: false) == after)
        }
        // A hexadecimal digit before or behind makes it another number.
        #expect(try left(#"{"a":"a\#(digits)"}"#, [], isOwn: false) == #"{"a":"a\#(digits)"}"#)
        let escaped = try left(#"{"a":"\u0038\#(id.dropFirst())"}"#, [], isOwn: false)
        #expect(escaped.contains(other) && escaped.utf8.count == id.utf8.count + 13)
        #expect(try scope([]).payload(Array(#"{"a":"\#(id)"}"#.utf8), type: "x", tenant: 4, isOwn: false) == nil)
    }

    @Test func `a tenant's own id goes from the user's events, also where only the UUID is known`() throws {
        let id = ExternalUserID.id(of: "customer-17", tenant: 3)
        let scope = ErasureScope([ErasedUser(tenant: 3, id: id, salt: Self.salt)], paths: [], packs: [])
        let payload = Array(#"{"who":"customer-17","n":"customer-170"}"#.utf8)
        let left = scope.payload(payload, type: "x", tenant: 3, isOwn: true).map { String(decoding: $0, as: UTF8.self) }
        #expect(left == #"{"who":""           ,"n":"customer-170"}"#)
        #expect(scope.payload(payload, type: "x", tenant: 3, isOwn: false) == nil)
        #expect(scope.payload(payload, type: "x", tenant: 2, isOwn: true) == nil)
    }

    @Test func `a line keeps its bytes outside of what goes, and a conversation is blank`() throws {
        let scope = try scope(["email"])
        func line(_ text: String, _ kind: RecordKind = .event) -> String? {
            let left = scope.line(Array(text.utf8), kind: kind, tenant: 3)
            if let left { #expect(left.count == text.utf8.count) }
            return left.map { String(decoding: $0, as: UTF8.self) }
        }
        let user = #""user_id":"\#(Self.id)""#
        let nobody = #""user_id":null"# + String(repeating: " ", count: 34)
        #expect(
            line(#" {"event_type":"x", \#(user),"payload":{"email":"a"},"created_at":1} "#)
                == #" {"event_type":"x", \#(nobody),"payload":{"email":"" },"created_at":1} "#)
        #expect(line(#"{"event_type":"x","payload":{"email":"a"}}"#) == nil)
        #expect(line(#"{"\u0075ser_id":"\#(Self.id.uppercased())","event_type":"x"}"#)?.contains("null") == true)
        let save = #"{"conversation_id":"c","question":"q","response":"r",\#(user)}"#
        #expect(line(save, .conversation) == String(repeating: " ", count: save.utf8.count))
        let mention = #"{"conversation_id":"c","question":"\#(Self.id)","response":"r","user_id":null}"#
        #expect(line(mention, .conversation) == mention.replacing(Self.id, with: try pseudonym))
        #expect(line("", .event) == nil && line("   ", .event) == nil && line("no json", .event) == nil)
    }

    @Test func `a refused line is found by what it says, cut or escaped, and nothing else of it stays`() throws {
        let scope = try scope(["email"])
        func left(_ kept: String) -> String? {
            let refused = RefusedLine.text(kept)
            let left = scope.line(Array(refused.utf8), kind: .refused, tenant: 3)
            if let left { #expect(left.count == refused.utf8.count) }
            return left.map { String(decoding: $0, as: UTF8.self) }
        }
        let whole = #"{"event_type":"x","user_id":"\#(Self.id)","payload":{"email":"secret"}}"#
        for count in [whole.utf8.count, whole.utf8.count - 3, 80] {
            let left = try #require(left(String(whole.prefix(count))))
            #expect(
                !left.contains("secret") && !left.contains("event_type") && left.contains(#""code":"x""#), "\(left)")
        }
        #expect(left(#"{"event_type":"x","user_id":"another","payload":{"email":"secret"}}"#) == nil)
    }

    /// As `RefusedLine` writes it.
    private enum RefusedLine {
        static func text(_ line: String) -> String {
            let quoted = line.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"")
            return #"{"code":"x","message":"m","peer":"p","line":"\#(quoted)","line_bytes":1}"#
        }
    }

    @Test func `a number counts as a tenant's own id where it is a user_id only`() throws {
        let scope = try scope([], external: "7")
        func concerns(_ text: String) -> Bool { scope.concerns(Array(text.utf8), tenant: 3) }
        #expect(concerns(#"{"event_type":"x","user_id":7}"#) && concerns(#"{"payload":{"user_id" : "7"}}"#))
        #expect(!concerns(#"{"payload":{"size":"7","n":7}}"#) && !concerns(#"{"user_id":77}"#))
        let word = try self.scope([], external: "customer-17")
        #expect(word.concerns(Array(#"{"payload":{"who":"customer-17"}}"#.utf8), tenant: 3))
        #expect(!word.concerns(Array(#"{"payload":{"who":"customer-17"}}"#.utf8), tenant: 2))
    }

    @Test func `events about a row that goes with the user keep nothing, by the pack's own keys`() throws {
        var scope = try scope(["email"], packs: [PackLoader().load("workspaces")])
        scope.keys = ["workspaces.users": [3: ["7"]], "workspaces.workspaces": [3: ["71"]]]
        func left(_ type: String, _ payload: String) -> String? {
            scope.payload(Array(payload.utf8), type: type, tenant: 3, isOwn: false).map {
                String(decoding: $0, as: UTF8.self)
            }
        }
        let mark = String(decoding: ErasureScope.mark, as: UTF8.self)
        #expect(left("workspaces.user_saved", #"{"id":7,"username":"x"}"#) == mark)
        #expect(left("workspaces.user_saved", #"{"id":70,"username":"x"}"#) == nil)
        #expect(left("workspaces.message_sent", #"{"id":1,"workspace_id":71,"content":"x"}"#) == mark)
        #expect(left("workspaces.message_sent", #"{"id":1,"workspace_id":"71","content":"x"}"#) == mark)
        #expect(left("page.viewed", #"{"id":7,"workspace_id":71}"#) == nil)
        #expect(left("workspaces.user_saved", mark) == nil)
        // The mark is longer: the line is blank, as it says nothing any more.
        let line = Array(#"{"event_type":"workspaces.user_saved","payload":{"id":7}}"#.utf8)
        #expect(scope.line(line, kind: .event, tenant: 3)?.allSatisfy { $0 == 0x20 } == true)
        #expect(scope.concerns(line, tenant: 3) && !scope.concerns(line, tenant: 2))
    }
}
