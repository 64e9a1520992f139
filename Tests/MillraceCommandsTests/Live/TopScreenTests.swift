import MillraceConsole
import Testing

@testable import MillraceCommands

struct TopScreenTests {
    /// As `/v1/live` says it, with what the test wants otherwise put in the place of something.
    private func tick(_ changes: [(String, String)] = []) throws -> TopTick {
        var json = """
            {"time":"2026-11-30T17:00:00.000Z","scope":"all","tenant":0,"version":"0.1.0","commit":"abc",
            "started_at":"2026-11-30T16:00:00.000Z","uptime_seconds":3720.5,"interval_seconds":1.0,
            "readiness":{"ready":true,"writing":true,"reason":null,"since":null,"reasons":[],"notes":[]},
            "lines":{"received":1234570,"accepted":1234567,"sampled_out":0,"refused":3,"committed":1234560,
            "duplicates":0,"dead":0,"parked":0},"bytes_received":99,"requests":12,"batches":3,
            "rates":{"received":12345.0,"accepted":12344.0,"sampled_out":0.0,"refused":0.25,"committed":12300.0,
            "duplicates":0.0,"dead":0.0,"parked":0.0,"bytes_received":4404019.0,"requests":2.0,"batches":12.0},
            "refusals":[{"code":"invalid_json","total":2,"rate":0.25},{"code":"line_too_long","total":1,"rate":0.0}],
            "conservation":{"in_and_recovered":1234567,"committed":1234560,"duplicates":0,"dead":0,"refused":3,
            "in_spool":4,"difference":0,"holds":true},
            "spool":{"bytes":2147483648,"capacity_bytes":17179869184,"free_bytes":1,"queue_bytes":0,"segments":32,
            "uncommitted_lines":4,"oldest_uncommitted_seconds":0.25,"refusing":null},
            "database":{"up":true,"stuck_batches":0,"waiting_lines":0},
            "writers":[{"index":0,"state":"writing","lines":500,"seconds":0.1},
            {"index":1,"state":"idle","lines":0,"seconds":12.0}],
            "latency":[{"stage":"received_to_durable","interval":{"count":9,"min_us":1,"mean_us":1.0,"p50_us":1234,
            "p75_us":1500,"p90_us":2000,"p99_us":3000,"p99.9_us":4000,"p99.99_us":5000,"max_us":123456},
            "total":{"count":9,"min_us":1,"mean_us":1.0,"p50_us":1,"p75_us":1,"p90_us":1,"p99_us":1,"p99.9_us":1,
            "p99.99_us":1,"max_us":1}},
            {"stage":"copy","interval":null,"total":{"count":9,"min_us":1,"mean_us":1.0,"p50_us":1,"p75_us":1,
            "p90_us":1,"p99_us":1,"p99.9_us":1,"p99.99_us":1,"max_us":1}}],
            "months":{"ahead":3},"connections":[{"transport":"tcp","open":1,"max":1024},
            {"transport":"http","open":2,"max":1024}],
            "senders":{"by":"key","items":[{"key":"k7","name":"web","tenant":0,"lines":9000,"rate":12000.0},
            {"key":"k8","name":null,"tenant":0,"lines":10,"rate":null}]},
            "live":{"tails":1,"watchers":2,"dropped":0},"later":[1]}
            """
        for (old, new) in changes {
            #expect(json.contains(old))
            json = json.replacing(old, with: new)
        }
        return try #require(TopTick(json: json))
    }

    private func lines(
        _ tick: TopTick, columns: Int = 80, rows: Int? = 24, trouble: String? = nil
    ) -> [TopScreen.Line] {
        TopScreen(tick: tick, source: "127.0.0.1:8080", trouble: trouble, columns: columns, rows: rows).lines
    }

    @Test func `a screen of 80 by 24 tells all`() throws {
        let text = lines(try tick()).map { $0.text.reversed().drop { $0 == " " }.reversed() }.map { String($0) }
        #expect(
            text.joined(separator: "\n") == """
                millrace 0.1.0  127.0.0.1:8080  up 1 h 2 min  2026-11-30T17:00:00.000Z
                ready; what comes is written
                in      12,345 lines/s  4.2 MiB/s  accepted 12,344  refused 0.3  sampled out 0.0
                out     12,300 rows/s  12.0 batches/s  duplicate 0.0  dead 0.0  parked 0.0
                total   1,234,567 accepted  1,234,560 committed  0 dead  3 refused
                law     holds: 1,234,567 = 1,234,560 + 0 dup + 0 dead + 3 refused + 4 in spool

                spool   [###---------------------] 12%  2.0 GiB of 16 GiB
                        4 lines not committed, the oldest for 0.25 s
                writers 0 writing 500 lines 0.10 s   1 idle 12 s
                months  3 ahead   connections tcp 1/1,024  http 2/1,024   streams 1 tail, 2 live

                latency, ms                   p50        p90        p99      p99.9        max
                received_to_durable         1.234      2.000      3.000      4.000    123.456
                copy                            -          -          -          -          -

                refused                  total      /s  by key                     total      /s
                invalid_json                 2     0.3  web                        9,000  12,000
                line_too_long                1     0.0  k8                            10       -
                """)
    }

    @Test func `every line fits, whatever the size of the terminal`() throws {
        let wide = try tick([("\"web\"", "\"\(String(repeating: "漢", count: 50))\"")])
        for (columns, rows) in [(40, 5), (41, 10), (80, 24), (79, 12), (200, 60)] {
            let lines = lines(wide, columns: columns, rows: rows)
            #expect(lines.count <= rows)
            #expect(lines.allSatisfy { TopText.width(of: $0.text) <= columns }, "\(columns)x\(rows)")
        }
    }

    @Test(arguments: [
        (
            [
                (
                    "\"writing\":true,\"reason\":null,\"since\":null",
                    "\"writing\":false,\"reason\":\"disk full\",\"since\":\"17:00\""
                )
            ],
            "nothing is written since 17:00: disk full"
        ),
        (
            [
                ("\"ready\":true", "\"ready\":false"),
                ("\"reasons\":[]", "\"reasons\":[{\"code\":\"spool_full\",\"message\":\"full\"}]"),
            ],
            "not ready: full"
        ),
        (
            [("\"difference\":0,\"holds\":true", "\"difference\":5,\"holds\":false")],
            "law     broken by 5 lines: 1,234,567"
        ),
        (
            [("\"refusing\":null", "\"refusing\":\"spool_full\"")],
            "spool   [###---------------------] 12%  2.0 GiB of 16 GiB  takes nothing: spool_full"
        ),
        ([("\"months\":{\"ahead\":3}", "\"months\":{\"ahead\":0}")], "months  0 ahead"),
    ])
    func `what is wrong stands out`(changes: [(String, String)], beginning: String) throws {
        let alarms = lines(try tick(changes), columns: 120).filter { $0.style == .alarm }
        #expect(alarms.count == 1 && alarms[0].text.hasPrefix(beginning), "\(alarms)")
    }

    @Test func `what a reader may not see is a dash`() throws {
        let hidden = try tick([
            ("\"scope\":\"all\",\"tenant\":0", "\"scope\":\"tenant\",\"tenant\":7"),
            ("\"received\":12345.0", "\"received\":null"),
            ("\"in_and_recovered\":1234567", "\"in_and_recovered\":null"),
            (
                "\"connections\":[{\"transport\":\"tcp\",\"open\":1,\"max\":1024},\n{\"transport\":\"http\",\"open\":2,\"max\":1024}]",
                "\"connections\":null"
            ),
        ])
        let text = lines(hidden, columns: 120).map(\.text).joined(separator: "\n")
        #expect(text.contains("tenant 7 only") && text.contains("in      - lines/s") && text.contains("law     holds"))
    }

    @Test func `nothing that a stranger named reaches the terminal but as text`() throws {
        let hostile = try tick([
            ("\"web\"", "\"\\u001b[2J\u{9B}31m\u{202E}\""), ("\"invalid_json\"", "\"\\r\\n\\u0007\""),
        ])
        let drawn = TerminalScreen.text(lines(hostile, columns: 120, trouble: "\u{1B}]0;x\u{7}"))
        let own = drawn.replacing("\u{1B}[H", with: "").replacing("\u{1B}[K", with: "").replacing("\u{1B}[J", with: "")
            .replacing("\u{1B}[7m", with: "").replacing("\u{1B}[1m", with: "").replacing("\u{1B}[0m", with: "")
            .replacing("\r\n", with: "")
        #expect(
            !own.unicodeScalars.contains { $0.value < 0x20 || (0x7F...0x9F).contains($0.value) || $0.value == 0x202E })
    }

    @Test func `a view draws on a terminal, and reports elsewhere`() throws {
        let json = #"{"a":1}"#
        let tick = EventStreamSession.Step.message(.init(name: "tick", lastID: "", data: json))
        var view = TopView(source: "here", isJSON: true, limit: nil)
        #expect(view.take(.connected, size: nil) == .nothing)
        #expect(
            view.take(tick, size: nil) == .note("the daemon sent a tick that can't be read: it is of another version"))
        let lost = EventStreamSession.Step.lost(CommandError("gone", hint: ""))
        #expect(view.take(lost, size: nil) == .note("gone; it is tried again"))
        #expect(view.take(lost, size: nil) == .nothing)
        // Nothing is known yet.
        #expect(view.take(lost, size: (80, 24)) == .nothing)
    }
}
