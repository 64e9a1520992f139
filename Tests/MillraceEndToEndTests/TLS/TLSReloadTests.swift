import FoundationEssentials
import MillraceTestSupport
import Synchronization
import Testing

extension EndToEndAlone {
    struct TLSReloadTests {
        private struct Report: Decodable {
            struct Tables: Decodable {
                var sent: Int
                var found: Int?
            }

            var events: Int
            var refused: Int
            var errors: Int
            var unacknowledged: Int
            var tables: Tables
        }

        /// `millrace bench` over TLS at 5,000 events a second, which keeps its connections and counts what goes wrong.
        private static func load(_ protocolName: String, _ tls: TLSInstallation, to endpoint: Endpoint) throws -> Report
        {
            let run = try tls.daemon.run(
                "bench", "--protocol", protocolName, "--to", "\(endpoint)", "--tls", "--ca", tls.authority.certificate,
                "--rate", "5000", "--batch", "50", "--duration", "25", "--quiet", "--json", within: .seconds(180))
            guard run.isSuccess else { throw TestSupportError(message: "\(run.errors) \(run.output)") }
            return try run.report(Report.self)
        }

        @Test
        func
            `ten reloads with a new certificate, limits and level under load refuse none, lose none and close no connection`()
            throws
        {
            let tls = try TLSInstallation()
            let daemon = tls.daemon
            try daemon.start()
            let reports = Mutex<[Report]>([])
            let loads = [("tcp", tls.tcp), ("http", tls.https)].map { name, endpoint in
                BackgroundThread {
                    let report = try Self.load(name, tls, to: endpoint)
                    reports.withLock { $0.append(report) }
                }
            }
            func received() throws -> Int { try daemon.metrics().count("millrace_intake_lines_received_total") ?? 0 }
            var serials: Set<String> = []
            for round in 1...10 {
                let before = try received()
                #expect(try eventually { try received() >= before + 3000 }, "the load goes on in round \(round)")
                let pair = try tls.authority.sign()
                let isInvalid = round == 5
                try daemon.change([
                    "tls.certificate": DaemonSettings.quoted(pair.certificate),
                    "tls.key": DaemonSettings.quoted(pair.key),
                    "limits.payload_bytes": "\"\(round * 8)KiB\"",
                    "log.level": round.isMultiple(of: 2) ? "\"debug\"" : "\"info\"",
                    "database.batch_rows": isInvalid ? "-1" : "\(round * 1000)",
                ])
                let run = try daemon.run("reload")
                #expect(run.exit == .status(isInvalid ? 1 : 0), "\(run.errors)")
                let (shown, made) = (try tls.shownSerial(), try TLSInstallation.serial(of: pair.certificate))
                #expect((shown == made) == !isInvalid, "round \(round): \(shown) is shown, \(made) was put there")
                serials.insert(shown)
            }
            #expect(serials.count == 9)
            for load in loads { try load.join() }
            let all = reports.withLock { $0 }
            #expect(all.count == 2)
            for report in all {
                #expect(report.refused == 0 && report.errors == 0 && report.unacknowledged == 0)
                #expect(report.tables.found == report.tables.sent && report.tables.sent > 0)
            }
            try tls.installation.auditor.waitForRows(all.reduce(0) { $0 + $1.tables.sent })
            #expect(try tls.installation.auditor.events == all.reduce(0) { $0 + $1.tables.sent })
            try tls.installation.auditor.verify(daemon)
            #expect(try daemon.stop() == .status(0))
        }
    }
}
