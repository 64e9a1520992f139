import MillraceTestSupport
import Testing

extension EndToEnd {
    struct PatchStoryTests {
        @Test func `a status alone is enough, in any order, over a kill and a rebuild`() throws {
            let installation = try Installation(settings: ["projections.packs": "[\"workspaces\"]"])
            let (daemon, auditor) = (installation.daemon, installation.auditor)
            #expect(try daemon.run("migrate", "up").isSuccess)
            try daemon.start()
            let minute = try #require(
                try auditor.strings(
                    """
                    SELECT to_char(now() AT TIME ZONE 'UTC' - interval '1 hour', 'YYYY-MM-DD"T"HH24:MI')
                    """
                ).first)
            func post(_ second: Int, _ type: String, _ payload: String) throws {
                let line = """
                    {"event_type":"workspaces.\(type)","created_at":"\(minute):\(second < 10 ? "0" : "")\(second)Z",\
                    "id":"0f0e0d0c-0b0a-4908-8706-0000000000\(second + 10)","payload":\(payload)}
                    """
                #expect(try HTTPClient(daemon.http).postEvents(Array(line.utf8), query: "?ack=committed").status == 200)
            }
            func state() throws -> [String] {
                try auditor.strings(
                    """
                    SELECT concat_ws(' ', id, status, priority, title, progress, deleted_at IS NULL)
                    FROM projections.workspaces_workspaces
                    ORDER BY id
                    """)
            }
            // The patch comes before what it patches.
            try post(20, "workspace_changed", #"{"id":1,"status":"COMPLETED"}"#)
            #expect(try state().isEmpty)
            try post(
                10, "workspace_saved",
                #"{"id":1,"user_id":1,"title":"a","priority":"HIGH","created_at":"2026-11-01T08:00:00Z"}"#)
            #expect(try state() == ["1 COMPLETED HIGH a 0 t"])
            try daemon.kill()
            try daemon.start()
            // Late ones do not win over later ones, column by column.
            try post(15, "workspace_changed", #"{"id":1,"status":"ARCHIVED","progress":40}"#)
            #expect(try state() == ["1 COMPLETED HIGH a 40 t"])
            #expect(
                try auditor.strings("SELECT status::text FROM projections.workspaces_status_counts") == ["COMPLETED"])
            try post(30, "workspace_deleted", #"{"id":1}"#)
            try post(40, "workspace_changed", #"{"id":1,"status":"IN_PROGRESS"}"#)
            #expect(try state().allSatisfy { $0.hasSuffix(" f") })
            for command in ["verify", "rebuild", "verify"] {
                let run = try daemon.run("projections", command, "workspaces")
                #expect(run.isSuccess, "\(command): \(run.output) \(run.errors)")
            }
            #expect(try state().allSatisfy { $0.hasSuffix(" f") })
            #expect(try daemon.stop() == .status(0))
        }
    }
}
