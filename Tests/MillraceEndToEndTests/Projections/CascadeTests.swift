import MillraceTestSupport
import Testing

extension EndToEnd {
    struct CascadeTests {
        private static func line(_ minute: Int, _ type: String, _ payload: String) -> String {
            """
            {"event_type":"workspaces.\(type)","created_at":"2026-11-20T10:\(minute < 10 ? "0" : "")\(minute):00Z",\
            "payload":{\(payload)}}
            """
        }

        /// The users' things, at times of their own; what each is to be in the end.
        private static let lines: [String] = {
            let created = #""created_at":"2026-11-01T00:00:00Z""#
            func user(_ minute: Int, _ id: Int) -> String {
                line(minute, "user_saved", #""id":\#(id),"username":"u\#(id)","email":"u\#(id)@example.org""#)
            }
            func workspace(_ minute: Int, _ id: Int, _ user: Int) -> String {
                line(
                    minute, "workspace_saved",
                    #""id":\#(id),"user_id":\#(user),"title":"w\#(id) \#(minute)",\#(created)"#)
            }
            func message(_ minute: Int, _ id: Int, _ workspace: Int) -> String {
                line(
                    minute, "message_sent",
                    #""id":\#(id),"workspace_id":\#(workspace),"role":"USER","content":"m\#(id)""#)
            }
            return [
                user(1, 1), user(1, 2), workspace(2, 10, 1), workspace(3, 11, 1), workspace(4, 12, 2),
                message(5, 100, 10), message(6, 101, 11), message(7, 102, 12),
                line(8, "template_saved", #""id":5,"user_id":1,"name":"t","body":"b""#),
                line(9, "signature_saved", #""id":6,"user_id":2,"name":"s","content":"c""#),
                // Workspace 11 changes hands before its first user goes.
                workspace(10, 11, 2), line(20, "user_deleted", #""id":1"#), user(30, 1),
                // Saved again: alive, and what was said in it before is not.
                workspace(31, 10, 1), message(32, 103, 10),
                line(40, "workspace_deleted", #""id":12"#), message(41, 104, 12),
            ]
        }()

        private static let living = """
            SELECT 'user ' || id FROM projections.workspaces_users WHERE deleted_at IS NULL
            UNION ALL SELECT 'workspace ' || title FROM projections.workspaces_workspaces WHERE deleted_at IS NULL
            UNION ALL SELECT 'message ' || id FROM projections.workspaces_messages WHERE deleted_at IS NULL
            UNION ALL SELECT 'template ' || id FROM projections.workspaces_templates WHERE deleted_at IS NULL
            UNION ALL SELECT 'signature ' || id FROM projections.workspaces_signatures WHERE deleted_at IS NULL
            UNION ALL SELECT 'counted ' || sum(n) FROM projections.workspaces_status_counts
            ORDER BY 1
            """
        private static let expected = [
            "counted 2", "message 101", "message 103", "message 104", "signature 6", "user 1", "user 2",
            "workspace w10 31", "workspace w11 10",
        ]

        private static func expectVerified(_ daemon: DaemonProcess) throws {
            let verified = try daemon.run("projections", "verify", "workspaces", "--quiet")
            #expect(verified.isSuccess, "\(verified.output) \(verified.errors)")
        }

        @Test(arguments: [1, 2] as [UInt64])
        func `a deleted user takes everything along, in any order, over kills and a rebuild`(seed: UInt64) throws {
            var generator = SeededGenerator(seed: seed)
            let installation = try Installation(
                "cascade_\(seed)",
                settings: [
                    "projections.packs": "[\"workspaces\"]", "database.writers": "2", "database.batch_rows": "3",
                ])
            let (daemon, auditor) = (installation.daemon, installation.auditor)
            #expect(try daemon.run("migrate", "up").isSuccess)
            try daemon.start()
            let lines = Self.lines.shuffled(using: &generator)
            for (index, part) in stride(from: 0, to: lines.count, by: 4).enumerated() {
                let own = lines[part..<min(part + 4, lines.count)]
                let client = try TCPClient(daemon.tcp, acks: index.isMultiple(of: 2) ? "spooled" : "committed")
                try own.forEach { try client.send($0) }
                try client.waitForAck(own.count)
                guard index.isMultiple(of: 2) else { continue }
                try daemon.kill()
                try daemon.start()
            }
            try auditor.waitForRows(lines.count)
            #expect(try auditor.strings(Self.living) == Self.expected, "seed \(seed)")
            try Self.expectVerified(daemon)
            let page = try HTTPClient(daemon.http).request("GET", "/v1/entities/workspaces/messages")
            #expect(
                page.status == 200 && page.text.contains("\"m103\"") && !page.text.contains("\"m100\""), "\(page.text)")
            let rebuilt = try daemon.run("projections", "rebuild", "workspaces", "--quiet")
            #expect(rebuilt.isSuccess, "\(rebuilt.errors)")
            #expect(try auditor.strings(Self.living) == Self.expected)
            try Self.expectVerified(daemon)
            // After the switch the engine's own tables are where the new version's are.
            let client = try TCPClient(daemon.tcp, acks: "committed")
            try client.send(Self.line(50, "user_deleted", #""id":2"#))
            try client.waitForAck(1)
            #expect(
                try auditor.strings(Self.living) == [
                    "counted 1", "message 103", "message 104", "user 1", "workspace w10 31",
                ])
            try Self.expectVerified(daemon)
        }
    }
}
