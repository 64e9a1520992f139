import MillraceTestSupport
import Testing

extension EndToEnd {
    struct BenchTests {
        private struct Report: Decodable {
            struct Summary: Decodable, Equatable {
                var count: Int
                var min: Int
                var mean: Double
                var p50: Int
                var p90: Int
                var p99: Int
                var p999: Int
                var p9999: Int
                var max: Int

                private enum CodingKeys: String, CodingKey {
                    case count, min, mean, p50, p90, p99, max
                    // As the decoder makes them of p99_9 and p99_99.
                    case p999 = "p999"
                    case p9999 = "p9999"
                }
            }

            struct Latencies: Decodable {
                var corrected: Summary
                var uncorrected: Summary
            }

            struct Tables: Decodable {
                var checked: Bool
                var sent: Int
                var found: Int?
            }

            struct FindMax: Decodable {
                struct Step: Decodable {
                    var rate: Double
                    var sentRate: Double
                    var p99Us: Int
                    var held: Bool
                }

                var p99Ms: Double
                var highestRate: Double
                var steps: [Step]
            }

            var ack: String
            var mode: String
            var targetRate: Double?
            var connections: Int
            var batch: Int
            var seed: Int?
            var seconds: Double
            var events: Int
            var bytes: Int
            var eventsPerSecond: Double
            var refused: Int
            var errors: Int
            var latencyUs: Latencies
            var tables: Tables
            var findMax: FindMax?
        }

        /// Runs `millrace bench` on the installation's configuration.
        private func bench(
            _ arguments: [String], in installation: Installation, succeeds: Bool = true,
            sourceLocation: SourceLocation = #_sourceLocation
        ) throws -> Report {
            let run = try installation.daemon.run(["bench", "--json"] + arguments)
            #expect(run.isSuccess == succeeds, "\(run.errors)", sourceLocation: sourceLocation)
            return try run.report(Report.self)
        }

        private func started(_ name: String = #function) throws -> Installation {
            let installation = try Installation(name)
            try installation.daemon.start()
            return installation
        }

        @Test func `flat out over TCP, every event is acknowledged and found`() throws {
            let installation = try started()
            let scratch = try ScratchDirectory()
            let log = scratch.path + "/run.hlog"
            let report = try bench(
                ["--events", "20000", "--warmup", "0", "--hlog", log, "--hgrm", scratch.path + "/run.hgrm"],
                in: installation)
            #expect(report.mode == "closed")
            #expect(report.targetRate == nil)
            #expect(report.events == 20_000)
            #expect(report.tables.sent == 20_000)
            #expect(report.tables.found == 20_000)
            #expect(report.latencyUs.uncorrected.count == 20_000)
            #expect(report.latencyUs.corrected.count >= 20_000)
            #expect(abs(Double(report.bytes) / 20_000 - 330) < 10)
            #expect(try installation.auditor.events == 20_000)

            // Another implementation reads the log, and counts what was sent.
            let intervals = try DecodedHistogramLog.intervals(at: log)
            #expect(intervals.filter { $0.tag == "uncorrected" }.reduce(0) { $0 + $1.count } == 20_000)
            let corrected = intervals.filter { $0.tag == "corrected" }.reduce(0) { $0 + $1.count }
            #expect(corrected == report.latencyUs.corrected.count)
            let distribution = TextFile.read(scratch.path + "/run.uncorrected.hgrm")
            #expect(distribution.contains("Total count    =        20000"), "\(distribution.suffix(300))")
            #expect(TextFile.read(scratch.path + "/run.hgrm").contains("1/(1-Percentile)"))
            try installation.auditor.verify(installation.daemon)
        }

        @Test func `at a rate over TCP, both latencies count every event of the measured part`() throws {
            let installation = try started()
            let log = installation.daemon.directory + "/open.hlog"
            let report = try bench(
                [
                    "--rate", "2000", "--ack", "committed", "--events", "3000", "--warmup", "0.5", "--connections",
                    "40", "--hlog", log,
                ], in: installation)
            #expect(report.mode == "open")
            #expect(report.ack == "committed")
            #expect(report.targetRate == 2000)
            #expect(report.events == 3000)
            #expect(report.latencyUs.corrected.count == 3000)
            #expect(report.latencyUs.uncorrected.count == 3000)
            #expect(report.latencyUs.corrected.max >= report.latencyUs.uncorrected.min)
            // The ramp-up is in the tables, and not in the figures.
            #expect(report.tables.sent == 4000)
            #expect(report.tables.found == 4000)
            #expect(try installation.auditor.events == 4000)
            let intervals = try DecodedHistogramLog.intervals(at: log)
            for tag in ["corrected", "uncorrected"] {
                #expect(intervals.filter { $0.tag == tag }.reduce(0) { $0 + $1.count } == 3000)
            }
        }

        @Test(arguments: [("1", "spooled"), ("50", "committed")])
        func `over HTTP, one or many events a request`(batch: String, ack: String) throws {
            let installation = try started("bench_http_\(batch)")
            let report = try bench(
                [
                    "--protocol", "http", "--connections", "8", "--batch", batch, "--ack", ack, "--events", "1999",
                    "--warmup", "0.2",
                ], in: installation)
            #expect(report.events == 1999)
            #expect(report.errors == 0)
            #expect(report.latencyUs.uncorrected.count == 1999)
            #expect(report.tables.found == report.tables.sent)
            #expect(try installation.auditor.events == report.tables.sent)
        }

        @Test func `over HTTP at a rate`() throws {
            let installation = try started()
            let report = try bench(
                ["--protocol", "http", "--rate", "500", "--events", "500", "--warmup", "0"], in: installation)
            #expect(report.events == 500)
            #expect(report.latencyUs.corrected.count == 500)
            #expect(report.tables.found == 500)
        }

        @Test func `a file's events are sent again and again with ids of their own`() throws {
            let installation = try started()
            let scratch = try ScratchDirectory()
            let file = scratch.path + "/events.ndjson"
            try TextFile.write("{\"event_type\":\"a.b\",\"payload\":{\"n\":1}}\n{\"event_type\":\"c.d\"}\n", to: file)
            let report = try bench(["--file", file, "--events", "1000", "--warmup", "0"], in: installation)
            #expect(report.seed == nil)
            #expect(report.tables.found == 1000)
            let counts = try installation.auditor.strings(
                "SELECT event_type || count(*) FROM public.analytics_events GROUP BY event_type ORDER BY 1")
            #expect(counts == ["a.b500", "c.d500"])
        }

        @Test func `the highest rate is searched in steps, and all of them are found`() throws {
            let installation = try started()
            let run = try installation.daemon.run([
                "bench", "--json", "--find-max", "--p99", "60000", "--rate", "100", "--steps", "3", "--duration", "0.5",
                "--warmup", "0.1",
            ])
            let report = try run.report(Report.self)
            let findMax = try #require(report.findMax)
            #expect(findMax.p99Ms == 60_000)
            #expect(findMax.steps.first?.rate == 100)
            #expect(findMax.steps.count == 3)
            for step in findMax.steps {
                #expect(step.held == (step.p99Us <= 60_000_000 && step.sentRate >= step.rate * 0.98))
            }
            // How fast this machine is, is not asserted; that the report agrees with itself is.
            #expect(findMax.highestRate == findMax.steps.filter(\.held).map(\.rate).max() ?? 0)
            #expect(run.isSuccess == (findMax.highestRate > 0), "\(run.errors)")
            #expect(report.tables.found == report.tables.sent)
            #expect(try installation.auditor.events == report.tables.sent)
        }

        @Test func `a row that is not there is missed`() throws {
            let installation = try started()
            let other = try installation.cluster.database("bench_other")
            let run = try installation.daemon.run([
                "bench", "--json", "--events", "160", "--warmup", "0", "--verify-limit", "0.2", "--set",
                "database.url=\(other.connectionString)",
            ])
            #expect(run.exit == .status(1))
            #expect(run.errors.contains("160 acknowledged events are not in the tables"), "\(run.errors)")
            let report = try run.report(Report.self)
            #expect(report.tables.found == 0)
            #expect(report.events == 160)
        }

        @Test func `refused events are told with their reason`() throws {
            let installation = try Installation(settings: ["limits.payload_bytes": "\"1KiB\""])
            try installation.daemon.start()
            for wire in ["tcp", "http"] {
                let run = try installation.daemon.run([
                    "bench", "--protocol", wire, "--event-bytes", "4000", "--events", "20", "--warmup", "0", "--json",
                ])
                #expect(run.exit == .status(1))
                #expect(run.errors.contains("20 events were refused"), "\(run.errors)")
                #expect(try run.report(Report.self).events == 0)
            }
        }

        @Test func `a text report, a progress line a second, and no check when told so`() throws {
            let installation = try started()
            let run = try installation.daemon.run(
                ["bench", "--rate", "50", "--duration", "1.2", "--warmup", "0", "--progress", "--no-verify"])
            #expect(run.isSuccess, "\(run.errors)")
            #expect(run.output.contains("uncorrected"))
            #expect(run.output.contains("tables: not looked at"))
            #expect(run.errors.contains("in flight  p99"), "\(run.errors)")
        }

        private struct Plan: Decodable {
            struct Measured: Decodable {
                var events: Int
                var rowsPerSecond: Double
                var lineBytes: Double
                var daemonSecondsPerMillion: Double
                var tableBytes: Double
                var indexBytes: Double
                var walBytes: Double?
            }

            struct Line: Decodable {
                var name: String
                var value: Double
                var basis: String
            }

            var measured: Measured
            var plan: [Line]
        }

        @Test func `a plan rests on a run whose rows are in the tables, and says what is measured`() throws {
            let installation = try started()
            let arguments = ["bench", "--plan", "--rate", "2000", "--events", "5000"]
            let run = try installation.daemon.run(arguments + ["--months", "24", "--json"])
            #expect(run.isSuccess, "\(run.errors)")
            let plan = try run.report(Plan.self)
            let measured = plan.measured
            #expect(measured.events == 5000 && measured.rowsPerSecond > 0 && measured.daemonSecondsPerMillion > 0)
            #expect((100...1000).contains(measured.lineBytes), "\(measured)")
            #expect((100...2000).contains(measured.tableBytes) && measured.indexBytes > 10, "\(measured)")
            #expect((measured.walBytes ?? 0) > 100)
            #expect(plan.plan.allSatisfy { ["measured", "extrapolated"].contains($0.basis) && $0.value >= 0 })
            let disk = try #require(plan.plan.first { $0.name == "disk for events" })
            #expect(disk.basis == "extrapolated" && disk.value > 2000 * 86_400 * 30 * 25 * 100)
            #expect(try installation.auditor.rows == 5000)

            let text = try installation.daemon.run(arguments)
            #expect(text.output.contains("for 2,000 events/s, 6,000 at the peak, 12 months:"), "\(text.output)")
            for wrong in [["--plan"], ["--plan", "--rate", "5", "--no-verify"], ["--peak", "7"]] {
                #expect(try installation.daemon.run(["bench"] + wrong).exit == .status(2))
            }
            try installation.daemon.kill()
            let alone = try installation.daemon.run(arguments)
            #expect(alone.exit == .status(1) && alone.errors.contains("millrace serve"), "\(alone.errors)")
        }

        @Test func `what keeps it from starting is told with the next step`() throws {
            let nobody = try Endpoint.free()
            let installation = try started()
            let unreachable = try installation.daemon.run(["bench", "--to", "\(nobody)"])
            #expect(unreachable.exit == .status(1))
            #expect(unreachable.errors.contains("millrace serve"), "\(unreachable.errors)")
            // The other listener speaks another language.
            let swapped = try installation.daemon.run([
                "bench", "--to", "\(installation.daemon.http)", "--events", "1", "--quiet",
            ])
            #expect(swapped.exit == .status(1))
            #expect(swapped.errors.contains("--protocol"), "\(swapped.errors)")
            let noDatabase = try installation.daemon.run([
                "bench", "--set", "database.url=host=127.0.0.1 port=1 dbname=nothing",
            ])
            #expect(noDatabase.exit == .status(1))
            #expect(noDatabase.errors.contains("--no-verify"), "\(noDatabase.errors)")
        }

        @Test func `a daemon that goes away ends the run with what is known`() throws {
            let installation = try started()
            let scratch = try ScratchDirectory()
            let running = try SpawnedProcess(
                MillraceBinary.path,
                [
                    "bench", "--rate", "200", "--duration", "60", "--json", "--verify-limit", "0.2", "--config",
                    installation.daemon.configuration,
                ], mark: scratch.path, output: scratch.path + "/out", errors: scratch.path + "/err")
            try installation.auditor.waitForRows(20)
            try installation.daemon.kill()
            #expect(try running.waitForExit(within: .seconds(60)) == .status(1))
            let errors = TextFile.read(scratch.path + "/err")
            #expect(errors.contains("daemon"), "\(errors)")
            let report = try CommandRun.decode(Report.self, from: TextFile.read(scratch.path + "/out"))
            #expect(report.tables.sent >= 20)
        }
    }
}
