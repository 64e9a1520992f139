import MillraceTestSupport
import Testing

extension EndToEnd {
    struct FiniteTotalTests {
        private static func order(_ second: Int, _ total: String) -> String {
            """
            {"event_type":"commerce.order_saved","created_at":"2026-11-20T10:00:\(second < 10 ? "0" : "")\(second)Z",\
            "payload":{"id":"0005eed0-0000-4000-8000-000000000001","user_id":"0005eed0-0000-4000-8000-000000000002",\
            "status":"paid","total_amount":\(total),"created_at":"2026-11-20T10:00:00Z"}}
            """
        }

        private static let totals = "SELECT sum(total_amount)::text FROM projections.commerce_orders_by_status"

        @Test func `a total that is NaN is parked, and revenue stays a number, over a kill and a rebuild`() throws {
            let installation = try Installation(settings: ["projections.packs": "[\"commerce\"]"])
            let (daemon, auditor) = (installation.daemon, installation.auditor)
            #expect(try daemon.run("migrate", "up").isSuccess)
            try daemon.start()
            for (second, total) in [#""NaN""#, "10.00", #"" -nan""#, #""NAN""#].enumerated() {
                let client = try TCPClient(daemon.tcp, acks: "committed")
                try client.send(Self.order(second, total))
                try client.waitForAck(1)
                try daemon.kill()
                try daemon.start()
            }
            for _ in 0..<2 {
                #expect(try auditor.strings(Self.totals) == ["10.00"])
                #expect(
                    try auditor.strings("SELECT concat_ws(' ', fold, code) FROM projections.parked")
                        == [String](repeating: "orders not_finite", count: 3))
                let verified = try daemon.run("projections", "verify", "commerce", "--quiet")
                #expect(verified.isSuccess, "\(verified.output) \(verified.errors)")
                #expect(try daemon.run("projections", "rebuild", "commerce", "--quiet").isSuccess)
            }
        }

        @Test func `sums that an older Millrace has made NaN are told by verify and mended by a rebuild`() throws {
            let installation = try Installation(settings: ["projections.packs": "[\"commerce\"]"])
            let (daemon, auditor) = (installation.daemon, installation.auditor)
            #expect(try daemon.run("migrate", "up").isSuccess)
            try daemon.start()
            let client = try TCPClient(daemon.tcp, acks: "committed")
            for (second, total) in ["10.00", "12.50"].enumerated() { try client.send(Self.order(second, total)) }
            try client.waitForAck(2)
            _ = try auditor.strings("UPDATE projections.commerce_orders_by_status SET total_amount = 'NaN'")
            let verified = try daemon.run("projections", "verify", "commerce", "--quiet")
            #expect(verified.exit == .status(1))
            #expect((verified.output + verified.errors).contains("total_amount=NaN"), "\(verified.output)")
            let rebuilt = try daemon.run("projections", "rebuild", "commerce", "--quiet")
            #expect(rebuilt.isSuccess, "\(rebuilt.errors)")
            #expect(try auditor.strings(Self.totals) == ["12.50"])
            let again = try daemon.run("projections", "verify", "commerce", "--quiet")
            #expect(again.isSuccess, "\(again.output)")
        }
    }
}
