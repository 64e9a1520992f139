import MillracePostgres
import MillraceTestSupport
import Testing

extension EndToEnd {
    struct DeadLetterBoundsTests {
        private static let soon = [
            "partitions.maintenance_interval": "\"1s\"", "partitions.gin_clean_interval": "\"100ms\"",
            "partitions.gin_clean_limit": "\"100ms\"",
        ]
        /// Lines of no format, as a client of another protocol sends them.
        private static let noise = Array(String(repeating: "not json\n", count: 100_000).utf8)

        private struct Letters {
            let auditor: Auditor

            var refused: Int {
                get throws { try auditor.integer("SELECT count(*) FROM public.dead_letters WHERE kind = 'refused'") }
            }
            var acknowledged: Int {
                get throws { try auditor.integer("SELECT count(*) FROM public.dead_letters WHERE kind <> 'refused'") }
            }
            var bytes: Int {
                get throws {
                    try auditor.integer(
                        "SELECT sum(octet_length(line) + octet_length(message)) FROM public.dead_letters")
                }
            }
            var dropped: Int { get throws { try auditor.integer("SELECT sum(dropped) FROM public.ingest_batches") } }

            /// Waits until all refused letters but `count` have gone.
            func waitForDropped(but count: Int) throws {
                let isBounded = try eventually { try refused == count }
                #expect(isBounded)
            }
        }

        /// Sends noise over a connection of its own until the daemon has had enough. Returns the daemon's last line.
        private func flood(_ endpoint: Endpoint) throws -> String? {
            let socket = try StreamSocket(endpoint)
            var sent = 0
            let isClosed = eventually {
                if sent < Self.noise.count { sent += socket.sendNow(Array(Self.noise[sent...])) }
                socket.receive()
                return socket.isEnded
            }
            #expect(isClosed, "the connection stays open")
            var last: String?
            while socket.hasLine { last = try socket.line() }
            return last
        }

        /// A line that was acknowledged and that the database refuses.
        private func poison(_ mishap: Mishap) throws {
            try mishap.makeTrigger(
                on: "public.analytics_events",
                "IF NEW.event_type = 'poison' THEN RAISE EXCEPTION 'no poison here'; END IF; RETURN NEW;")
            #expect(
                try mishap.post(Mishap.events(5) + Mishap.events(3, "poison"), isAwaited: true).status == 200)
        }

        @Test func `a flood of lines that are none leaves bounded rows, is said, and ends its connections`() throws {
            let mishap = try Mishap(
                settings: Self.soon.merging([
                    "tcp.refused_lines_max": "500", "dead_letters.rows_max": "30", "dead_letters.burst_lines": "20",
                    "dead_letters.sampled_one_in": "100",
                ]) { $1 })
            let letters = Letters(auditor: mishap.auditor)
            try poison(mishap)
            // Who holds the ledger keeps the letters too, so that the account can be looked at before.
            let holder = try mishap.installation.database.connect()
            try holder.execute("SELECT pg_advisory_lock(\(AdvisoryLock.ledger.rawValue), 0)")
            for _ in 0..<10 {
                #expect(try flood(mishap.daemon.tcp)?.contains("too_many_refused_lines") == true)
            }
            // Of each connection's 500 the first 20, and 4 of the others.
            #expect(try eventually { try letters.refused == 240 })
            #expect(
                try mishap.daemon.metrics().count("millrace_intake_lines_not_kept_total{transport=\"tcp\"}") == 4760)
            #expect(
                try mishap.daemon.metrics().count("millrace_intake_lines_refused_total{code=\"invalid_json\"}") == 5000)
            #expect(
                try mishap.daemon.metrics().count("millrace_intake_connections_closed_total{transport=\"tcp\"}") == 10)
            #expect(mishap.daemon.log.contains("connection closed for its refused lines"))
            let before = try mishap.auditor.verify(mishap.daemon)
            #expect(before.total?.refused == 240 && before.total?.dead == 3)
            holder.close()
            try letters.waitForDropped(but: 30)
            #expect(try letters.dropped == 210)
            #expect(try letters.acknowledged == 3)
            #expect(try mishap.daemon.metrics().count("millrace_writer_dead_letters_dropped_total") == 210)
            #expect(eventually { mishap.daemon.log.contains("dead letters dropped") })
            let after = try mishap.auditor.verify(mishap.daemon)
            #expect(after.total?.refused == 240 && after.total?.dead == 3)
            // A letter that someone else deletes is still missed.
            try mishap.execute(
                "DELETE FROM public.dead_letters WHERE id = (SELECT id FROM public.dead_letters WHERE kind = 'refused' LIMIT 1)"
            )
            #expect(try mishap.daemon.run("verify").output.contains("FAIL  every refused line has its dead letter"))
            #expect(try mishap.daemon.stop() == .status(0))
        }

        @Test func `letters of refused lines are bounded in bytes`() throws {
            let mishap = try Mishap(
                settings: Self.soon.merging([
                    "dead_letters.bytes_max": "\"20KiB\"", "limits.refused_line_bytes": "\"4KiB\"",
                ]) { $1 })
            let letters = Letters(auditor: mishap.auditor)
            let client = try TCPClient(mishap.daemon.tcp, acks: nil)
            for _ in 0..<40 { try client.send(String(repeating: "x", count: 8000)) }
            try client.finish()
            try mishap.auditor.waitForSettled(40)
            #expect(try eventually { try letters.dropped > 0 && letters.bytes <= 20 << 10 })
            #expect(try letters.refused >= 3)
            try mishap.auditor.verify(mishap.daemon)
            #expect(try mishap.daemon.stop() == .status(0))
        }

        @Test func `old letters of refused lines go; of acknowledged lines and of the outbox none does`() throws {
            let mishap = try Mishap(settings: Self.soon)
            let letters = Letters(auditor: mishap.auditor)
            try poison(mishap)
            try mishap.execute(
                "INSERT INTO public.outbox (event_type, created_at) VALUES ('app.old', '1990-01-01T00:00:00Z')")
            let client = try TCPClient(mishap.daemon.tcp, acks: nil)
            for _ in 0..<7 { try client.send("not json") }
            try client.finish()
            #expect(try eventually { try letters.refused == 8 })
            try mishap.execute("UPDATE public.dead_letters SET dead_at = dead_at - interval '31 days'")
            try letters.waitForDropped(but: 1)
            #expect(
                try mishap.auditor.strings("SELECT peer FROM public.dead_letters WHERE kind = 'refused'") == ["outbox"])
            #expect(try letters.acknowledged == 3)
            #expect(try letters.dropped == 7)
            try mishap.auditor.verify(mishap.daemon)
            // They can still be put right.
            try mishap.execute("DROP FUNCTION public.mishap CASCADE")
            #expect(try mishap.daemon.run("dead-letters", "retry", "--all", "--code", "database").isSuccess)
            #expect(try mishap.auditor.events == 8)
            try mishap.auditor.verify(mishap.daemon)
            #expect(try mishap.daemon.stop() == .status(0))
        }

        @Test func `what joins the ledger's rows keeps the count of dropped letters`() throws {
            let mishap = try Mishap(
                settings: Self.soon.merging([
                    "dead_letters.rows_max": "0", "database.ledger_join_age": "\"1s\"", "spool.retain": "\"0s\"",
                ]) { $1 })
            let letters = Letters(auditor: mishap.auditor)
            for _ in 0..<5 {
                let client = try TCPClient(mishap.daemon.tcp, acks: nil)
                try client.send("not json")
                try client.finish()
                #expect(try mishap.post(Mishap.events(1), isAwaited: true).status == 200)
            }
            try letters.waitForDropped(but: 0)
            #expect(
                try eventually(within: .seconds(60)) {
                    try mishap.auditor.integer("SELECT count(*) FROM public.ingest_batches") == 1
                })
            #expect(try letters.dropped == 5)
            try mishap.auditor.verify(mishap.daemon)
            #expect(try mishap.daemon.stop() == .status(0))
        }

        @Test func `a client with acks is answered up to the last line that was taken, then told why it ends`() throws {
            let mishap = try Mishap(settings: ["tcp.refused_lines_max": "100"])
            let client = try TCPClient(mishap.daemon.tcp, acks: "spooled")
            try client.send(Array((Mishap.events(20).joined(separator: "\n") + "\n").utf8))
            // The daemon may close before it has read all of it.
            try? client.send(Self.noise)
            try? client.finish()
            #expect(client.acked == 120)
            #expect(client.refusals.count == 100)
            #expect(client.problem?.code == "too_many_refused_lines")
            #expect(client.problem?.message.contains("tcp.refused_lines_max") == true)
            try mishap.auditor.waitForRows(20)
            try mishap.auditor.verify(mishap.daemon)
            #expect(try mishap.daemon.stop() == .status(0))
        }

        @Test func `bad lines among as many good ones end no connection, and lose no good one`() throws {
            let mishap = try Mishap(settings: ["tcp.refused_lines_max": "10"])
            let client = try TCPClient(mishap.daemon.tcp, acks: nil)
            for index in 0..<500 { try client.send(Mishap.event("good", payload: #"{"n":\#(index)}"#) + "\nnot json") }
            try client.finish()
            try mishap.auditor.waitForRows(500)
            #expect(!mishap.daemon.log.contains("connection closed for its refused lines"))
            try mishap.auditor.verify(mishap.daemon)
            #expect(try mishap.daemon.stop() == .status(0))
        }

        @Test func `millrace send tells every bad line of a file, over as many connections as that takes`() throws {
            struct Report: Decodable {
                var accepted: Int
                var refused: Int
                var unsettled: Int
            }
            let mishap = try Mishap(settings: ["tcp.refused_lines_max": "100"])
            let file = mishap.daemon.directory + "/mixed.ndjson"
            let lines = (0..<450).map { _ in "not json" } + Mishap.events(30)
            try TextFile.write(lines.joined(separator: "\n") + "\n", to: file)
            let run = try mishap.daemon.run("send", file, "--quiet", "--json")
            let report = try run.report(Report.self)
            #expect(report.accepted == 30 && report.refused == 450 && report.unsettled == 0, "\(run.errors)")
            try mishap.auditor.waitForRows(30)
            #expect(try mishap.daemon.stop() == .status(0))
        }

        @Test func `what a stranger sent does nothing to the terminal of who reads it`() throws {
            let mishap = try Mishap()
            let hostile =
                "\u{1B}[2J\u{1B}]0;owned\u{7} \u{9B}31m \u{7F}\u{8} \u{202E}live\u{202C} \u{2028}ok  all\u{2029} \u{85}"
            let client = try TCPClient(mishap.daemon.tcp, acks: nil)
            try client.send(hostile)
            try client.send(
                #"{"event_type":"a","\#(hostile.unicodeScalars.filter { $0.value >= 0x20 }.map { String($0) }.joined())":1}"#
            )
            try client.finish()
            try mishap.auditor.waitForSettled(2)
            func isHarmless(_ text: String) -> Bool {
                text.unicodeScalars.allSatisfy { scalar in
                    scalar == "\n"
                        || !((0..<0x20).contains(scalar.value) || (0x7F...0x9F).contains(scalar.value)
                            || [0x2028, 0x2029, 0x202C, 0x202E].contains(scalar.value))
                }
            }
            let list = try mishap.daemon.run("dead-letters", "list")
            #expect(list.output.contains(#"\u001b[2J"#) && list.output.contains(#"\u202elive"#), "\(list.output)")
            let file = mishap.daemon.directory + "/hostile.ndjson"
            try TextFile.write(hostile + "\n" + #"{"event_type":"a","\u001b[2J\u202e":1}"# + "\n", to: file)
            let others = [
                ["dead-letters", "list", "--json"], ["dead-letters", "retry", "--all"], ["send", file],
                ["send", file, "--json"],
                ["import", file], ["import", file, "--json"], ["status"], ["verify"], ["check"],
                ["check", "--set", "tcp.listen=\(hostile)"], ["send", "/nowhere/\(hostile)"],
                ["status", "--\(hostile)"],
            ]
            for command in others {
                let run = try mishap.daemon.run(command)
                #expect(isHarmless(run.output) && isHarmless(run.errors), "\(command): \(run.output) \(run.errors)")
            }
            #expect(isHarmless(list.output) && isHarmless(mishap.daemon.log))
            #expect(try mishap.daemon.stop() == .status(0))
        }
    }
}
