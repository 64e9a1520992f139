import Testing

@testable import MillraceTreatment

struct RulesFileTests {
    private static func errors(_ toml: String) -> [String] {
        do throws(RulesErrors) {
            _ = try RulesFile(text: toml, path: "/etc/rules.toml")
            return []
        } catch {
            return error.errors.map(\.description)
        }
    }

    private static let flaws: [(String, String)] = [
        ("[[rule]\n", "/etc/rules.toml:1: is no TOML"),
        ("a = \"\0\"", "/etc/rules.toml:1: is no TOML: it holds a NUL byte"),
        ("rules = 1\n", "/etc/rules.toml:1: rules: rules is unknown; the file has [[rule]] and [[example]] tables"),
        ("rule = 1\n", "/etc/rules.toml:1: rule: rule is no list of tables; write [[rule]]"),
        ("[[rule]]\nsample = 0.5\n", "/etc/rules.toml:1: rule.#1: a rule needs a name; metrics and messages have it"),
        (
            "[[rule]]\nname = \"a\"\n",
            "/etc/rules.toml:1: rule.a: the rule wants nothing; give it allow, deny, sample, schema or schema_file"
        ),
        (
            "[[rule]]\nname = \"A b\"\nsample = 1\n",
            "/etc/rules.toml:2: rule.A b: name is \"A b\"; wanted: at most 60 of a-z, 0-9, -, _ and ."
        ),
        (
            "[[rule]]\nname = \"a\"\nallow = \"x*\"\n",
            "/etc/rules.toml:3: rule.a: allow has \"x*\"; wanted: a whole event_type, or one that ends with .*, as order.*"
        ),
        (
            "[[rule]]\nname = \"a\"\nallow = [1]\n",
            "/etc/rules.toml:3: rule.a: allow is something else; wanted: a text, or a list of texts"
        ),
        (
            "[[rule]]\nname = \"a\"\nsample = 1\ntenants = -1\n",
            "/etc/rules.toml:4: rule.a: tenants is something else; wanted: a tenant's number, or a list of them"
        ),
        (
            "[[rule]]\nname = \"a\"\nsample = 1\naction = \"drop\"\n",
            "/etc/rules.toml:4: rule.a: action is \"drop\"; wanted: one of \"refuse\", \"quarantine\""
        ),
        (
            "[[rule]]\nname = \"a\"\nlines = \"saves\"\ndeny = \"x\"\n",
            "/etc/rules.toml:4: rule.a: deny is about events, and the rule about saves"
        ),
        (
            "[[rule]]\nname = \"a\"\nschema = '{}'\nchecks = \"metadata\"\n",
            "/etc/rules.toml:4: rule.a: checks is \"metadata\"; wanted: \"payload\" or \"line\""
        ),
        (
            "[[rule]]\nname = \"a\"\nschema_file = \"none.json\"\n",
            "/etc/rules.toml:3: rule.a: /etc/none.json cannot be read as UTF-8"
        ),
        (
            "[[rule]]\nname = \"a\"\nsample = 1\n[[rule]]\nname = \"a\"\nsample = 1\n",
            "/etc/rules.toml:5: rule.a: the name is there twice; rename one"
        ),
        (
            "[[example]]\nexpect = \"keep\"\n",
            "/etc/rules.toml:1: example.#1: an example has a line, or a file with a line each"
        ),
        (
            "[[example]]\nline = '{}'\n",
            "/etc/rules.toml:1: example.#1: an example says what it expects: expect = \"keep\", \"refuse\", \"quarantine\" or \"sample_out\""
        ),
        (
            "[[example]]\nline = '{}'\nexpect = \"refuse\"\nrule = \"b\"\n",
            "/etc/rules.toml:4: example.#1: there is no rule \"b\""
        ),
    ]

    @Test(arguments: flaws)
    func `what is wrong is told with file, line and key`(toml: String, error: String) {
        let found = Self.errors(toml)
        #expect(found.count == 1 && found[0].hasPrefix(error), "\(found)")
    }

    @Test func `all that is wrong is told at once, each in its line, in a schema's text too`() {
        let found = Self.errors(
            """
            [[rule]]
            name = "one"
            sample = 2

            [[rule]]
            name = "two"
            schema = '''
            {
              "type": "strnig"
            }
            '''
            [[rule]]
            name = "three"
            schema = '{"pattern": "("}'
            """)
        #expect(found.count == 3)
        #expect(found[0].hasPrefix("/etc/rules.toml:3: rule.one: sample is the share"))
        #expect(found[1].hasPrefix("/etc/rules.toml:9: rule.two.schema #/type: \"strnig\" is no type"))
        #expect(
            found[2].hasPrefix(
                "/etc/rules.toml:14: rule.three.schema #/pattern: the regular expression ( at character 1: a ( without its )"
            ))
    }

    @Test func `a file without rules keeps everything`() throws {
        #expect(try RuleJudge("").verdict(#"{"event_type":"t"}"#) == nil)
    }
}
