import FoundationEssentials
import MillraceEvent
import Testing

@testable import MillraceTreatment

/// JSON Schema's own tests, where a copy of github.com/json-schema-org/JSON-Schema-Test-Suite is at hand:
/// `MILLRACE_JSON_SCHEMA_SUITE` names its folder tests/draft2020-12.
struct SchemaSuiteTests {
    private static let folder = ProcessInfo.processInfo.environment["MILLRACE_JSON_SCHEMA_SUITE"]

    @Test(.enabled(if: folder != nil)) func `what is taken of a schema is judged as the suite wants it`() throws {
        let folder = try #require(Self.folder)
        var (right, refused) = (0, 0)
        var reasons: [String: Int] = [:]
        for name in try FileManager.default.contentsOfDirectory(atPath: folder).sorted() where name.hasSuffix(".json") {
            let text = try #require(FileManager.default.contents(atPath: "\(folder)/\(name)"))
            // U+0000 is for neither schemas nor lines; any other character does here.
            let readable = String(decoding: text, as: UTF8.self).replacing("\\u0000", with: "\\u0001")
            guard case .array(let groups) = try JSONDocument.parse(Array(readable.utf8)).kind else { continue }
            var (rightHere, refusedHere) = (0, 0)
            for group in groups {
                let schema = try #require(group["schema"])
                guard case .array(let tests) = group["tests"]?.kind else { continue }
                let judge: RuleJudge
                do {
                    judge = try RuleJudge(schema: Self.wrapped(schema))
                } catch let errors as RulesErrors {
                    refusedHere += tests.count
                    reasons["\(name): \(errors.errors[0].message)", default: 0] += tests.count
                    continue
                }
                for test in tests {
                    let data = try #require(test["data"])
                    guard case .bool(let isValid) = test["valid"]?.kind else { continue }
                    // Its references too, for constants that look like one.
                    let text = Self.moved(String(decoding: data.text, as: UTF8.self))
                    do {
                        let said = try judge.misfit(payload: #"{"v":\#(text.replacing("\n", with: " "))}"#)
                        #expect((said == nil) == isValid, "\(name):\(test.line): \(text) \(said ?? "fits")")
                        rightHere += (said == nil) == isValid ? 1 : 0
                    } catch {
                        reasons["\(name): the line: \(error.message)", default: 0] += 1
                        refusedHere += 1
                    }
                }
            }
            print("suite: \(name): \(rightHere) as wanted, \(refusedHere) not taken")
            right += rightHere
            refused += refusedHere
        }
        for (reason, count) in reasons.sorted(by: { $0.key < $1.key }) {
            print("suite: not taken (\(count)): \(reason)")
        }
        print("suite: \(right) as wanted, \(refused) not taken")
        #expect(right > 500)
    }

    /// The schema as that of the member `v`.
    private static func wrapped(_ schema: JSONDocument.Value) -> String {
        "{\"properties\":{\"v\":\(moved(String(decoding: schema.text, as: UTF8.self)))}}"
    }

    /// References from the root as those from `v`.
    private static func moved(_ text: String) -> String {
        text.replacing("\"$ref\": \"#\"", with: "\"$ref\": \"#/properties/v\"")
            .replacing("\"$ref\": \"#/", with: "\"$ref\": \"#/properties/v/")
    }
}
