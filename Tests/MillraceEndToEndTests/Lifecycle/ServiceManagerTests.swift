import Glibc
import MillraceTestSupport
import Testing

extension EndToEnd {
    struct ServiceManagerTests {
        @Test func `the service manager hears of readiness, reload, the watchdog and the stop`() throws {
            let scratch = try ScratchDirectory()
            let notify = try NotifySocket(directory: scratch.path)
            let installation = try Installation(
                environment: ["NOTIFY_SOCKET": notify.path, "WATCHDOG_USEC": "1000000"])
            let daemon = installation.daemon
            try daemon.launch()
            #expect(notify.wait(for: "READY=1"))
            #expect(try HTTPClient.get("/livez", at: daemon.http).status == 200)
            #expect(notify.wait(for: "WATCHDOG=1", count: 3))
            try daemon.process.signal(SIGHUP)
            #expect(notify.wait(for: "RELOADING=1"))
            #expect(notify.wait(for: "MONOTONIC_USEC"))
            #expect(notify.wait(for: "READY=1", count: 2))
            #expect(try daemon.stop() == .status(0))
            #expect(notify.wait(for: "STOPPING=1"))
        }

        @Test func `a watchdog meant for another process is not fed`() throws {
            let scratch = try ScratchDirectory()
            let notify = try NotifySocket(directory: scratch.path)
            let installation = try Installation(
                environment: ["NOTIFY_SOCKET": notify.path, "WATCHDOG_USEC": "200000", "WATCHDOG_PID": "1"])
            try installation.daemon.launch()
            #expect(notify.wait(for: "READY=1"))
            #expect(!notify.wait(for: "WATCHDOG=1", within: .seconds(1)))
            #expect(try installation.daemon.stop() == .status(0))
        }
    }
}
