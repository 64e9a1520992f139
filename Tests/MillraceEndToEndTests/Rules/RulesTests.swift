import Glibc
import MillracePostgres
import MillraceTestSupport
import Testing

extension EndToEnd {
    struct RulesTests {
        private static let user = "843d440a-a7a7-45ee-96df-3568c37384b9"

        private static let rules = """
            [[rule]]
            name = "known"
            allow = ["order.*", "page"]

            [[rule]]
            name = "order"
            event_types = "order.*"
            schema = '''
            {"required": ["total"],
             "properties": {"total": {"type": "number", "minimum": 0}}}
            '''
            action = "quarantine"

            [[rule]]
            name = "pages"
            event_types = "page"
            sample = 0.0000001

            [[rule]]
            name = "strict"
            event_types = "order.strict"
            checks = "line"
            schema = '{"required": ["user_id"]}'

            [[rule]]
            name = "saves"
            lines = "saves"
            checks = "line"
            schema = '{"properties": {"source": {"enum": ["web"]}}}'
            """

        private static func id(_ number: Int) -> String { "0192b1a4-7c3e-4a51-9f0e-\(100_000_000_000 + number)" }

        private static func event(_ type: String, _ number: Int, _ payload: String = "{}") -> String {
            #"{"event_type":"\#(type)","id":"\#(id(number))","payload":\#(payload)}"#
        }

        /// A daemon with `rules` in force.
        private func installation(_ rules: String) throws -> (Installation, file: String) {
            let installation = try Installation(settings: ["outbox.poll": "\"20ms\""])
            let file = installation.daemon.directory + "/rules.toml"
            try TextFile.write(rules, to: file)
            try installation.daemon.change(["rules.file": "\"\(file)\""])
            return (installation, file)
        }

        @Test func `every way in goes by the rules, and every line is accounted for`() throws {
            let (installation, _) = try installation(Self.rules)
            let (daemon, auditor) = (installation.daemon, installation.auditor)
            try daemon.start()

            // TCP: kept, quarantined, sampled out, denied, refused.
            let tcp = try TCPClient(daemon.tcp, acks: "committed")
            for line in [
                Self.event("order.placed", 1, #"{"total":5}"#), Self.event("order.placed", 2, #"{"total":-5}"#),
                Self.event("page", 3), Self.event("other", 4), Self.event("order.strict", 5, #"{"total":1}"#),
                Self.event("page", 6), Self.event("order.placed", 7, #"{"total":7}"#),
            ] { try tcp.send(line) }
            try tcp.waitForAck(7)
            #expect(tcp.refusals[4]?.code == "denied_type")
            #expect(tcp.refusals[5] == .init(code: "schema", message: "rule strict: /user_id is missing"))
            #expect(tcp.refusals.count == 2 && tcp.reports == ["2 dead"])

            // One that only sends what is sampled out gets its acks too.
            let pages = try TCPClient(daemon.tcp, acks: "spooled")
            try pages.send(Self.event("page", 8))
            try pages.waitForAck(1)

            // HTTP: the same, item by item.
            let http = HTTPClient(daemon.http)
            let body = [
                Self.event("order.placed", 11, #"{"total":"secret"}"#), Self.event("page", 12), Self.event("no", 13),
                Self.event("order.placed", 14, #"{"total":1.0}"#),
            ].joined(separator: ",")
            let answer = try http.request(
                "POST", "/v1/events?ack=committed", headers: [("Content-Type", "application/json")],
                body: Array("[\(body)]".utf8), within: .seconds(60))
            #expect(answer.status == 200)
            #expect(answer.text.contains(#""accepted":3,"sampled_out":1"#), "\(answer.text)")
            #expect(answer.text.contains(#""index":2,"error":{"code":"denied_type""#), "\(answer.text)")
            #expect(answer.text.contains(#""dead_letters":[{"index":0,"code":"schema""#), "\(answer.text)")
            #expect(!answer.text.contains("secret"))
            let sampled = try http.postEvents(Array(Self.event("page", 15).utf8))
            #expect(sampled.status == 202 && sampled.text.contains(#""accepted":1,"sampled_out":1"#), "\(sampled.text)")
            #expect(try http.postEvents(Array(Self.event("no", 16).utf8)).status == 400)

            // The outbox, and a one-way connection.
            try installation.database.connect().execute(
                """
                INSERT INTO public.outbox (event_type, payload)
                VALUES ('order.paid', '{"total": 3}'), ('order.paid', '{}'), ('page', '{}'), ('no', '{}')
                """)
            let oneWay = try TCPClient(daemon.tcp, acks: nil)
            try oneWay.send(Self.event("page", 21))
            try oneWay.send(Self.event("no", 22))
            try oneWay.send(Self.event("order.placed", 23, #"{"total":[]}"#))
            try oneWay.finish()
            let save = #"{"conversation_id":"c","question":"q","response":"r","user_id":"\#(Self.user)","source":"#
            #expect(try http.postEvents(Array((save + "\"web\"}").utf8)).status == 202)
            let refused = try http.postEvents(Array((save + "\"other\"}").utf8))
            #expect(refused.text.contains(#"/source has to be \"web\""#), "\(refused.text)")

            #expect(
                eventually(within: .seconds(30)) { (try? auditor.integer("SELECT count(*) FROM public.outbox")) == 0 })
            #expect(eventually(within: .seconds(30)) { (try? auditor.rows) == 5 })
            let letters = try auditor.strings(
                """
                SELECT concat_ws(' ', code, quarantined, line::jsonb->>'event_type') FROM public.dead_letters
                ORDER BY code, quarantined, line::jsonb->>'event_type', peer = 'outbox'
                """)
            #expect(
                letters == [
                    "denied_type f no", "denied_type f no", "schema t order.paid", "schema t order.placed",
                    "schema t order.placed", "schema t order.placed",
                ])
            let metrics = try daemon.metrics()
            #expect(metrics.count("millrace_rules_lines_total", #"rule="order",outcome="quarantined""#) == 4)
            #expect(metrics.count("millrace_rules_lines_total", #"rule="pages",outcome="sampled_out""#) == 7)
            #expect(metrics.count("millrace_intake_lines_sampled_out_total", #"kind="event""#) == 7)
            #expect(metrics.count("millrace_rules_lines_total", #"rule="strict",outcome="refused""#) == 1)
            try auditor.verify(daemon)
            #expect(try daemon.stop() == .status(0))
            #expect(!daemon.log.contains("secret"))
        }

        @Test func `rules are reloaded all or nothing, and quarantined lines go in once the rules let them`() throws {
            let (installation, file) = try installation(Self.rules)
            let (daemon, auditor) = (installation.daemon, installation.auditor)
            try daemon.start()
            let client = try TCPClient(daemon.tcp, acks: "committed")
            try client.send(Self.event("order.placed", 1, #"{"total":-1,"n":1e2}"#))
            try client.send(Self.event("order.placed", 2))
            try client.waitForAck(2)
            #expect(try auditor.events == 0)
            let kept = try daemon.run("dead-letters", "retry", "--all", "--json")
            #expect(
                kept.exit == .status(1) && kept.output.contains("/payload/total has to be at least 0"), "\(kept.output)"
            )

            // A wrong file: file, line, key and pointer, and nothing changes.
            try TextFile.write(Self.rules.replacing("\"minimum\"", with: "\"minimun\""), to: file)
            let wrong = try daemon.run("reload")
            #expect(wrong.exit == .status(1))
            #expect(
                wrong.errors.contains("\(file):10: rule.order.schema #/properties/total/minimun: "), "\(wrong.errors)")
            try daemon.process.signal(SIGHUP)
            #expect(eventually { daemon.log.contains("not reloaded") && daemon.log.contains("from=SIGHUP") })
            try client.send(Self.event("order.placed", 3, #"{"total":-2}"#))
            try client.waitForAck(3)
            #expect(try auditor.events == 0)

            // Open connections go by the new rules, and what was set aside goes in with its own id.
            try TextFile.write(Self.rules.replacing("\"minimum\": 0", with: "\"minimum\": -9"), to: file)
            let right = try daemon.run("reload")
            #expect(right.isSuccess && right.output.contains("5 rules"), "\(right.output)\(right.errors)")
            try client.send(Self.event("order.placed", 4, #"{"total":-3}"#))
            try client.waitForAck(4)
            #expect(try auditor.events == 1)
            let retried = try daemon.run("dead-letters", "retry", "--all", "--code", "schema", "--json")
            #expect(retried.exit == .status(1))
            #expect(
                retried.output.contains(#""committed" : 2"#) && retried.output.contains(#""refused" : 1"#),
                "\(retried.output)")
            #expect(
                try auditor.strings("SELECT id::text FROM public.analytics_events ORDER BY id")
                    == [1, 3, 4].map(Self.id))
            let forced = try daemon.run("dead-letters", "retry", "--all", "--without-rules", "--json")
            #expect(forced.isSuccess && forced.output.contains(#""committed" : 1"#), "\(forced.output)\(forced.errors)")
            try auditor.verify(daemon)
            #expect(try daemon.stop() == .status(0))
        }

        @Test func `the daemon does not start with rules that are wrong, and check and rules test say why`() throws {
            let (installation, file) = try installation(
                Self.rules + """

                    [[example]]
                    name = "an order"
                    line = '{"event_type":"order.placed","payload":{"total":1}}'
                    expect = "keep"
                    [[example]]
                    name = "below zero"
                    line = '{"event_type":"order.placed","payload":{"total":-1}}'
                    expect = "quarantine"
                    rule = "order"
                    path = "/payload/total"
                    [[example]]
                    file = "others.ndjson"
                    expect = "refuse"
                    """)
            let daemon = installation.daemon
            try TextFile.write(
                "{\"event_type\":\"a\"}\n\n{\"event_type\":\"b\"}\n", to: daemon.directory + "/others.ndjson")
            let right = try daemon.run("rules", "test")
            #expect(right.isSuccess && right.output.contains("4 examples, 0 failed"), "\(right.output)\(right.errors)")
            let lines = daemon.directory + "/lines.ndjson"
            try TextFile.write("\(Self.event("no", 1))\n\(Self.event("no", 2))\nnone\n", to: lines)
            let counted = try daemon.run("rules", "test", file, "--lines", lines, "--json")
            #expect(
                counted.output.contains("\"rule\" : \"known\"") && counted.output.contains("\"outcome\" : \"invalid\""))
            #expect(try daemon.run("rules", "show", "--type", "order.strict").output.contains("strict"))

            try TextFile.write(
                "{\"event_type\":\"order.a\",\"payload\":{\"total\":1}}\n", to: daemon.directory + "/others.ndjson")
            let failed = try daemon.run("rules", "test", "--json")
            #expect(failed.exit == .status(1) && failed.output.contains("expected"), "\(failed.output)")
            #expect(failed.output.contains("others.ndjson") && failed.output.contains("it is kept"), "\(failed.output)")

            try TextFile.write("[[rule]]\nname = \"x\"\nevent_type = \"a\"\nsample = 2\n", to: file)
            for arguments in [["rules", "check"], ["check"]] {
                let run = try daemon.run(arguments)
                #expect(run.exit == .status(1), "\(arguments)")
                let said = run.output + run.errors
                #expect(
                    said.contains("\(file):3: rule.x: event_type is unknown; the nearest known key is event_types"),
                    "\(said)")
                #expect(said.contains("\(file):4: rule.x: sample is the share"), "\(said)")
            }
            #expect(throws: (any Error).self) { try daemon.start() }
            #expect(daemon.log.contains("\(file):4"))
        }
    }
}
