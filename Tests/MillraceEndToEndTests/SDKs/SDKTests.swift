import Glibc
import MillraceEvent
import MillraceTestSupport
import Testing

extension EndToEnd {
    /// The SDKs of PyPI as they are, with only host and key changed.
    struct SDKTests {
        private static let count = 1000

        private struct Case: CustomTestStringConvertible, Sendable {
            var sdk: String
            var isCompressed: Bool
            /// Where the event's number is in its payload.
            var number = "payload->'properties'->>'n'"

            var testDescription: String { sdk + (isCompressed ? ", gzip" : "") }
        }

        private static let cases = [
            Case(sdk: "segment", isCompressed: false), Case(sdk: "segment", isCompressed: true),
            Case(sdk: "segment-1", isCompressed: false), Case(sdk: "segment-1", isCompressed: true),
            Case(sdk: "rudder", isCompressed: false), Case(sdk: "rudder", isCompressed: true),
            Case(sdk: "posthog", isCompressed: false), Case(sdk: "posthog", isCompressed: true),
            Case(sdk: "posthog-v1", isCompressed: false), Case(sdk: "posthog-v1", isCompressed: true),
            Case(sdk: "cloudevents", isCompressed: false, number: "payload->'data'->>'n'"),
            Case(sdk: "opentelemetry", isCompressed: false, number: "payload->'attributes'->>'n'"),
            Case(sdk: "opentelemetry", isCompressed: true, number: "payload->'attributes'->>'n'"),
        ]

        @Test(arguments: cases)
        private func `answers are cut and the daemon is killed: each event is there once, with type, user and time`(
            sent: Case
        ) throws {
            let installation = try Installation("sdk_\(sent.sdk)_\(sent.isCompressed)".replacing("-", with: "_"))
            let (daemon, auditor) = (installation.daemon, installation.auditor)
            try daemon.start()
            let key = try #require(try MadeKey.create(on: daemon, "--scope", "write").key)
            #expect(eventually { daemon.status(key: key) == 202 })
            guard case .port(let port) = daemon.http else { throw TestSupportError(message: "no port") }
            let scratch = try ScratchDirectory()
            let run = try SpawnedProcess(
                Python.path,
                [
                    "\(Repository.root)/Tests/SDKs/send.py", sent.sdk, "\(port)", key,
                    sent.isCompressed ? "gzip" : "plain",
                    "\(Self.count)", scratch.path,
                ], mark: scratch.path, output: scratch.path + "/out", errors: scratch.path + "/out")
            let isMidway = eventually(within: .seconds(60)) {
                access(scratch.path + "/kill", F_OK) == 0 || !run.isRunning
            }
            #expect(isMidway && run.isRunning, "\(TextFile.read(scratch.path + "/out"))")
            try daemon.kill()
            try TextFile.write("", to: scratch.path + "/killed")
            try daemon.start()
            let exit = try run.waitForExit(within: .seconds(120))
            #expect(exit == .status(0), "\(TextFile.read(scratch.path + "/out").suffix(3000))")

            let links = ["segment": 2, "segment-1": 2, "rudder": 2, "posthog": 1, "posthog-v1": 1][sent.sdk] ?? 0
            // Beside the one that tried the key.
            try auditor.waitForRows(Self.count + links + 1)
            let users = (0..<10).map { n in
                n % 2 == 1
                    ? ExternalUserID.id(of: "user-\(n)", tenant: 0).description
                    : "0192b1a4-7c3e-4a51-9f0e-00000000000\(n)"
            }
            let wrong = try auditor.strings(
                """
                WITH sent AS (SELECT *, (\(sent.number))::int AS n FROM public.analytics_events WHERE event_type = 'sdk.sent')
                SELECT concat_ws(' ', n, created_at, user_id, payload) FROM sent
                WHERE created_at <> timestamptz '2026-11-20T10:00:00Z' + n * interval '1 second'
                    OR user_id <> ('{\(users.joined(separator: ","))}'::uuid[])[n % 10 + 1]
                LIMIT 3
                """)
            #expect(wrong.isEmpty, "\(wrong)")
            let numbers = try auditor.strings(
                """
                SELECT concat_ws(' ', count(*), count(DISTINCT (\(sent.number))::int), max((\(sent.number))::int))
                FROM public.analytics_events WHERE event_type = 'sdk.sent'
                """)
            #expect(numbers == ["\(Self.count) \(Self.count) \(Self.count - 1)"])
            #expect(try auditor.events == Self.count + links + 1)
            let before = ExternalUserID.id(of: "before-1", tenant: 0)
            let linked = try auditor.integer(
                """
                SELECT count(*) FROM public.analytics_events
                WHERE payload->'_millrace'->>'previous_user_id' = '\(before)' AND user_id = '\(users[1])'
                    OR payload->'_millrace'->>'previous_user_id' = '\(users[1])' AND user_id = '\(before)'
                """)
            #expect(linked == (links > 0 ? 1 : 0))
            #expect(
                try auditor.integer("SELECT count(*) FROM public.analytics_events WHERE payload::text ~ 'mr_w_'") == 0)
            #expect(try auditor.integer("SELECT count(*) FROM public.dead_letters") == 0)
            try auditor.verify(daemon)
            #expect(!daemon.log.contains(key))
            #expect(try daemon.stop() == .status(0))
        }
    }
}
