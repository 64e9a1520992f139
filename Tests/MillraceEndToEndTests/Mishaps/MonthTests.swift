import MillracePostgres
import MillraceTestSupport
import Testing

extension EndToEnd {
    struct MonthTests {
        @Test(arguments: ["dead_letter", "attach"])
        func `a detached month takes no rows: they are dead letters, or a new month's`(policy: String) throws {
            let mishap = try Mishap("detached", settings: ["partitions.retired": "\"\(policy)\""])
            #expect(try mishap.post([try Mishap.event(in: -1)], isAwaited: true).status == 200)
            let leaf = try Mishap.leaf(-1)
            try mishap.execute("ALTER TABLE public.analytics_events DETACH PARTITION \(leaf)")
            let lines = try (0..<5).map { _ in try Mishap.event(in: -1) } + Mishap.events(3)
            #expect(try mishap.post(lines, isAwaited: true).status == 200)
            #expect(try mishap.auditor.integer("SELECT count(*) FROM \(leaf)") == 1)
            let letters = try mishap.auditor.strings("SELECT code FROM public.dead_letters")
            #expect(letters == (policy == "attach" ? [] : Array(repeating: "month_retired", count: 5)))
            #expect(try mishap.auditor.rows == (policy == "attach" ? 8 : 3))
            if policy == "dead_letter" {
                // Attached again, it takes rows again.
                let month = try Mishap.month(-1)
                try mishap.execute(
                    """
                    ALTER TABLE public.analytics_events ATTACH PARTITION \(leaf)
                        FOR VALUES FROM ('\(month.lowerBound)') TO ('\(month.upperBound)')
                    """)
                #expect(try mishap.post([try Mishap.event(in: -1)], isAwaited: true).status == 200)
                #expect(try mishap.auditor.integer("SELECT count(*) FROM \(leaf)") == 2)
                try mishap.auditor.verify(mishap.daemon)
            }
            try mishap.waitForHealth()
            #expect(try mishap.daemon.stop() == .status(0))
        }

        @Test func `a month that was dropped is made again`() throws {
            let mishap = try Mishap()
            let leaf = try Mishap.leaf(-2)
            #expect(try mishap.post([try Mishap.event(in: -2)], isAwaited: true).status == 200)
            try mishap.execute("DROP TABLE \(leaf)")
            #expect(try mishap.post([try Mishap.event(in: -2)], isAwaited: true).status == 200)
            #expect(try mishap.auditor.integer("SELECT count(*) FROM \(leaf)") == 1)
            #expect(try mishap.auditor.rows == 1)
            #expect(try mishap.auditor.integer("SELECT count(*) FROM public.dead_letters") == 0)
            #expect(try mishap.daemon.stop() == .status(0))
        }

        @Test func `a month that was renamed is written under its new name`() throws {
            let mishap = try Mishap()
            try mishap.execute("ALTER TABLE \(try Mishap.leaf()) RENAME TO \"This Month\"")
            let twice = try Mishap.event(in: 0, "twice")
            #expect(try mishap.post(Mishap.events(5) + [twice], isAwaited: true).status == 200)
            #expect(try mishap.post([twice, Mishap.event("more")], isAwaited: true).status == 200)
            #expect(try mishap.auditor.integer("SELECT count(*) FROM public.\"This Month\"") == 7)
            #expect(try mishap.auditor.rows == 7)
            #expect(try mishap.auditor.integer("SELECT count(*) FROM public.dead_letters") == 0)
            try mishap.auditor.verify(mishap.daemon)
            #expect(try mishap.daemon.stop() == .status(0))
        }
    }
}
