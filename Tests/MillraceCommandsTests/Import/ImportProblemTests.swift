import MillraceEvent
import MillraceTestSupport
import Testing

@testable import MillraceCommands
@testable import MillraceConsole

/// Bad records, and files that are none.
struct ImportProblemTests {
    private let recent = ImportRun.time(daysAgo: 3)

    private func good(_ id: Int) -> String { "{\"id\":\(id),\"name\":\"n\",\"updated_at\":\"\(recent)\"}" }

    @Test(arguments: [
        ("{\"id\":2,\"name\":\"\\u0000\"}", "unsupported_text"),
        ("{\"id\":2,\"name\":\"\\ud800\"}", "unsupported_text"),
        ("{\"id\":2,\"usage_count\":1e400000}", "number_out_of_range"),
        ("{\"id\":2,\"name\":tru}", "invalid_json"),
        ("{\"id\":2,\"name\":\"a\" \"b\"}", "invalid_json"),
        ("{\"id\":2,\"name\":1 2}", "invalid_json"),
        ("{\"id\":2,,\"name\":1}", "invalid_json"),
        ("{\"name\":\"n\"}", "missing_field"),
        ("{\"id\":null}", "missing_field"),
        ("{\"id\":\"x\"}", "invalid_id"),
        ("{\"id\":1.5}", "invalid_id"),
        ("{\"id\":99999999999999999999}", "invalid_id"),
        ("{\"id\":2,\"userId\":[1]}", "invalid_user_id"),
        ("{\"id\":2,\"updated_at\":\"yesterday\"}", "invalid_updated_at"),
        ("{\"id\":2,\"updated_at\":{}}", "invalid_updated_at"),
        ("{\"id\":2,\"updated_at\":\"2990-01-01\"}", "created_at_out_of_range"),
        ("{\"id\":2,\"user_id\":1,\"userId\":1}", "duplicate_field"),
        ("{\"id\":2,\"id\":2}", "duplicate_field"),
        ("7", "not_an_object"), ("null", "not_an_object"), ("[1]", "not_an_object"), ("\"id\"", "not_an_object"),
    ])
    func `a bad record is listed with its place, and the rest goes in`(record: String, code: String) throws {
        let run = try ImportRun("templates.json", "[\(good(1)),\n  \(record),\n\(good(3))]")
        #expect(run.accepted == ["templates": 2])
        #expect(run.codes == [code])
        let problem = try #require(run.problems.first)
        #expect(problem.line == 2)
        #expect(problem.column == 3)
        #expect(problem.offsetBytes == good(1).utf8.count + 5)
        #expect(problem.index == 1)
        #expect(problem.kind == "templates")
    }

    @Test func `a line that is no JSON does not spoil the others`() throws {
        let run = try ImportRun("templates.ndjson", "\(good(1))\n{\"id\":\"\n\n{[[{\n\(good(3))\r\n")
        #expect(run.accepted == ["templates": 2])
        #expect(run.problems.map(\.line) == [2, 4])
        #expect(run.codes == ["invalid_json", "invalid_json"])
    }

    @Test(arguments: [
        "[", "[{", "[{\"id\":1", "[{\"id\":\"\\", "[{\"id\":1}", "[{\"id\":1},", "{", "{\"templates\"",
        "{\"templates\":[",
        "{\"templates\":[]", "{\"templates\":[],", "{\"templates\":[{}", "{\"a\":{", "x", "[1}", "[,]", "{,}", "{1:2}",
        "{\"templates\":[]]", "[] []", "[{}{}]", "[{},]",
    ])
    func `a file that breaks is told once, and what stood before goes in`(rest: String) throws {
        let run = try ImportRun([
            "templates.json": Array(rest.utf8), "signatures.json": Array("[\(good(1))]".utf8),
        ])
        #expect(run.accepted["signatures"] == 1)
        #expect(run.problems.filter { $0.message.contains("was not read") }.count == 1, "\(run.problems)")
    }

    @Test func `every truncation of an export ends, and gives no more than the whole`() throws {
        let whole = Array(
            "{\"a\":[],\"templates\":[\(good(1)),{\"id\":2,\"name\":\"\\\"é]}\"}],\"signatures\":[\(good(3))]}".utf8)
        for count in 0...whole.count {
            let run = try ImportRun(["x.json": Array(whole[..<count])])
            #expect(run.texts.count <= 3)
            #expect(count == whole.count || count == 0 || !run.problems.isEmpty)
        }
        #expect(try ImportRun(["x.json": whole]).texts.count == 3)
    }

    @Test func `a byte order mark, empty arrays and empty files are no records`() throws {
        let mark: [UInt8] = [0xEF, 0xBB, 0xBF]
        #expect(try ImportRun(["templates.json": mark + Array("[\(good(1))]".utf8)]).accepted == ["templates": 1])
        #expect(try ImportRun(["templates.ndjson": mark + Array(good(1).utf8)]).accepted == ["templates": 1])
        for text in ["", " \n", "[]", " [ ] ", "{\"templates\":[]}", "{\"templates\":[],\"signatures\" : [ ] }"] {
            let run = try ImportRun("templates.json", text)
            #expect(run.texts.isEmpty)
            #expect(run.problems.isEmpty, "\(text)")
        }
    }

    @Test func `an array that is no kind is told, plain members are not`() throws {
        let run = try ImportRun(
            "x.json", "{\"version\":1,\"templates\":[\(good(1))],\"widgets\":[{\"id\":1}],\"meta\":\"x\"}")
        #expect(run.accepted == ["templates": 1])
        #expect(run.codes == ["unknown_kind"])
        #expect(run.problems.first?.message.contains("widgets") == true)
    }

    @Test func `a record of no kind says that --kind is wanted`() throws {
        let run = try ImportRun("stuff.json", "[{\"id\":1}]")
        #expect(run.codes == ["unknown_kind"])
        #expect(run.problems.first?.message.contains("--kind") == true)
        #expect(try ImportRun("stuff.json", "[{\"id\":1}]", kind: "templates").accepted == ["templates": 1])
    }

    @Test func `a payload beyond the daemon's limit is bad`() throws {
        let long = String(repeating: "x", count: 300_000)
        let run = try ImportRun("templates.json", "[{\"id\":1,\"body\":\"\(long)\"},\(good(2))]")
        #expect(run.accepted == ["templates": 1])
        #expect(run.codes == ["payload_too_large"])
    }

    @Test func `a record longer than any line is dropped while it is read`() throws {
        let long = [UInt8](repeating: UInt8(ascii: "x"), count: LineReader.lineBytesMax)
        let run = try ImportRun([
            "templates.json": Array("[{\"id\":1,\"body\":\"".utf8) + long + Array("\"},\(good(2))]".utf8)
        ])
        #expect(run.accepted == ["templates": 1])
        #expect(run.codes == ["record_too_long"])
        #expect(run.problems.first?.offsetBytes == 1)
    }

    @Test func `secrets are left out at every depth, whatever stands around them`() throws {
        let run = try ImportRun(
            "templates.json",
            """
            [{"id":1,"passwordHash":"S1","User":{"password":"S2","name":"kept"},
              "list":[{"a":1,"apiKey":"S3"},{"refresh_token":{"x":["S4"]}}, {"pass\\u0077ord":"S5"}]}]
            """)
        #expect(run.problems.isEmpty)
        #expect(run.report.secretsDropped == 5)
        #expect(run.texts[0].contains("\"User\":{\"name\":\"kept\"}"))
        #expect(run.texts[0].contains("\"list\":[{\"a\":1},{},{}]"))
        for secret in 1...5 { #expect(!run.texts[0].contains("S\(secret)")) }
    }

    @Test func `a hundred thousand records go through, also compressed, in pretty print`() throws {
        let count = 100_000
        var text = "{\n  \"templates\": [\n"
        for id in 0..<count {
            text += (id > 0 ? ",\n" : "") + "    {\n      \"id\": \(id),\n      \"name\": \"n \(id)\"\n    }"
        }
        let bytes = Array((text + "\n  ]\n}\n").utf8)
        let run = try ImportRun(["x.json.zst": Compression.zstd.compress(bytes)])
        #expect(run.accepted == ["templates": count])
        #expect(run.problems.isEmpty)
    }

    @Test func `damaged compression is told, and the other files go in`() throws {
        let run = try ImportRun([
            "templates.json.zst": [0x28, 0xB5, 0x2F, 0xFD, 1, 2, 3, 4, 5, 6, 7, 8, 9],
            "signatures.json": Array("[\(good(1))]".utf8),
        ])
        #expect(run.accepted == ["signatures": 1])
        #expect(run.problems.count == 1)
    }
}
