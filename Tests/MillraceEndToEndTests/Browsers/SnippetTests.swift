import Glibc
import MillraceTestSupport
import Testing

extension EndToEnd {
    /// Pages of other origins in headless Chromium, by `Tests/Browser/sending.py`.
    struct SnippetTests {
        @Test(.startsFirst)
        func `a page that the key lets send sends all it has once, and any other page nothing`() throws {
            let installation = try Installation()
            let (daemon, auditor) = (installation.daemon, installation.auditor)
            try daemon.start()
            guard case .port(let port) = daemon.http else { throw TestSupportError(message: "a port is wanted") }
            let scratch = try ScratchDirectory()
            let run = try SpawnedProcess(
                Python.path,
                ["-B", "\(Repository.root)/Tests/Browser/sending.py", "http://127.0.0.1:\(port)", scratch.path],
                mark: "sending.py", output: scratch.path + "/out", errors: scratch.path + "/out")
            func said() -> String { TextFile.read(scratch.path + "/out") }
            func waitForFile(_ name: String) {
                let isThere = eventually(within: .seconds(120)) {
                    access("\(scratch.path)/\(name)", F_OK) == 0 || !run.isRunning
                }
                #expect(isThere && run.isRunning, "\(name): \(said().suffix(5000))")
            }
            waitForFile("port")
            let pages = TextFile.read(scratch.path + "/port")
            let key = try #require(
                try MadeKey.create(on: daemon, "--scope", "write", "--origin", "http://shop.localhost:\(pages)").key)
            #expect(eventually { daemon.status(key: key) == 202 })
            try TextFile.write(key, to: scratch.path + "/key.new")
            rename(scratch.path + "/key.new", scratch.path + "/key")

            waitForFile("cut")
            let wanted = [
                "early.called 2 1", "key.test 1 1", "page.viewed 2 2", "shop.beacon 500 500", "shop.captured 1 1",
                "shop.cut 200 200", "shop.fetched 1 1", "shop.left 10 10", "shop.logged 1 1", "shop.pixel 1 1",
                "shop.sdk 1 1",
                "shop.snippet 120 120", "shop.tracked 1 1", "shop.typed 1 1", "shop.untyped 1 1",
            ]
            func rows() throws -> [String] {
                try auditor.strings(
                    """
                    SELECT concat_ws(' ', event_type, count(*), greatest(count(DISTINCT payload), 1))
                    FROM public.analytics_events GROUP BY event_type ORDER BY event_type COLLATE "C"
                    """)
            }
            let areThere = eventually(within: .seconds(90)) { (try? rows()) == wanted }
            let found = try rows()
            #expect(areThere, "\(found)\n\(said().suffix(3000))")
            // The forbidden page has sent all it had: at least its beacons were answered.
            let areRefused = eventually(within: .seconds(120)) {
                let refused = try? daemon.metrics(key: key).count(
                    "millrace_http_requests_total", #"route="/v1/events",status="4xx""#)
                return refused ?? 0 >= 500 || !run.isRunning
            }
            #expect(areRefused && run.isRunning, "\(said().suffix(5000))")
            try TextFile.write("", to: scratch.path + "/done")
            #expect(try run.waitForExit(within: .seconds(60)) == .status(0), "\(said().suffix(5000))")
            #expect(try rows() == wanted)
            #expect(
                try auditor.strings(
                    """
                    SELECT payload->>'path' FROM public.analytics_events
                    WHERE event_type IN ('page.viewed', 'shop.pixel') ORDER BY payload->>'path' COLLATE "C"
                    """) == ["/a b", "/cut", "/docs"])
            #expect(
                try auditor.integer(
                    """
                    SELECT count(*) FROM public.analytics_events
                    WHERE event_type = 'shop.snippet' AND user_id = '0192b1a4-7c3e-4a51-9f0e-000000000001'
                    """) == 120)
            #expect(
                try auditor.integer("SELECT count(*) FROM public.analytics_events WHERE payload::text ~ 'mr_w_'") == 0)
            #expect(try auditor.integer("SELECT count(*) FROM public.dead_letters") == 0)
            try auditor.verify(daemon)
            #expect(!daemon.log.contains("mr_w_"))
            #expect(try daemon.stop() == .status(0))
        }
    }
}
