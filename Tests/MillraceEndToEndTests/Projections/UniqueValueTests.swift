import MillracePostgres
import MillraceTestSupport
import Testing

extension EndToEnd {
    /// Values of unique indexes that more than one row wants.
    struct UniqueValueTests {
        private struct Rig {
            let daemon: DaemonProcess
            let database: TestDatabase
            let auditor: Auditor

            init(_ name: String, pack: String, settings: [String: String] = [:]) throws {
                let own = ["projections.packs": "[\"\(pack)\"]"]
                let installation = try Installation(name, settings: own.merging(settings) { $1 })
                (daemon, database, auditor) = (installation.daemon, installation.database, installation.auditor)
                #expect(try daemon.run("migrate", "up").isSuccess)
                try daemon.start()
            }

            func post(_ lines: String...) throws {
                let body = Array((lines.joined(separator: "\n") + "\n").utf8)
                let answer = try HTTPClient(daemon.http).postEvents(body, query: "?ack=committed")
                #expect(answer.status == 200 || answer.status == 201 || answer.status == 202, "\(answer)")
            }

            func expectVerified(sourceLocation: SourceLocation = #_sourceLocation) throws {
                let run = try daemon.run("projections", "verify")
                #expect(run.isSuccess, "\(run.output) \(run.errors)", sourceLocation: sourceLocation)
            }

            func rebuild(_ pack: String, sourceLocation: SourceLocation = #_sourceLocation) throws {
                let run = try daemon.run("projections", "rebuild", pack)
                #expect(run.isSuccess, "\(run.output) \(run.errors)", sourceLocation: sourceLocation)
            }
        }

        private static func save(_ user: Int, _ email: String, _ time: String) -> String {
            """
            {"event_type":"workspaces.user_saved","created_at":"2026-11-20T\(time)Z",\
            "payload":{"id":\(user),"username":"user\(user)","email":"\(email)@example.org"}}
            """
        }

        @Test func `an email that changes hands is its last owner's, though the first one's change comes late`() throws
        {
            let rig = try Rig("hands", pack: "workspaces")
            let query = "SELECT id || ' ' || email FROM projections.workspaces_users ORDER BY id"
            try rig.post(Self.save(101, "x", "10:00:00"))
            try rig.post(Self.save(102, "x", "10:02:00"))
            #expect(try rig.auditor.strings(query) == ["101 x@example.org"])
            #expect(
                try rig.auditor.strings(
                    "SELECT concat_ws(' ', code, sqlstate, constraint_name, message) FROM projections.parked")
                    == [
                        "waiting 23505 workspaces_users_email_key waits for (tenant_id, email) = (0, x@example.org), "
                            + "which 101 has"
                    ])
            try rig.expectVerified()
            try rig.daemon.kill()
            try rig.daemon.start()
            try rig.post(Self.save(101, "a", "10:01:00"))
            let expected = ["101 a@example.org", "102 x@example.org"]
            #expect(try rig.auditor.strings(query) == expected)
            #expect(try rig.auditor.integer("SELECT count(*) FROM projections.parked") == 0)
            try rig.expectVerified()
            for _ in 1...2 {
                try rig.rebuild("workspaces")
                #expect(try rig.auditor.strings(query) == expected)
                try rig.expectVerified()
            }
        }

        @Test
        func `what is put into a cart again after a checkout stays in it, before its events come and after a rebuild`()
            throws
        {
            let rig = try Rig("cart", pack: "commerce", settings: ["outbox.poll": "\"8s\"", "database.writers": "2"])
            let (user, cart, product) = (
                "00000000-0000-4000-8000-0000000000a1", "00000000-0000-4000-8000-0000000000c1",
                "00000000-0000-4000-8000-0000000000b1"
            )
            func item(_ number: Int, quantity: Int) -> String {
                """
                {"event_type":"commerce.cart_item_saved","payload":{"id":"00000000-0000-4000-8000-00000000010\(number)",\
                "cart_id":"\(cart)","product_id":"\(product)","quantity":\(quantity)}}
                """
            }
            try rig.post(
                #"{"event_type":"commerce.product_saved","payload":{"id":"\#(product)","name":"Lamp","price":5,"stock":9}}"#,
                #"{"event_type":"commerce.cart_saved","payload":{"id":"\#(cart)","user_id":"\#(user)"}}"#,
                item(1, quantity: 2))
            let others = (0..<5000).map { #"{"event_type":"page.viewed","payload":{"n":\#($0)}}"# }
                .joined(separator: "\n")
            for _ in 0..<5 { try rig.post(others) }
            func units() throws -> Int {
                try rig.auditor.integer(
                    """
                    SELECT sum(quantity) FROM projections.commerce_cart_items
                    WHERE cart_id = '\(cart)' AND deleted_at IS NULL
                    """)
            }
            let connection = try rig.database.connect()
            for round in 1...3 {
                try connection.execute("SELECT projections.commerce_checkout('\(user)', 'order \(round)')")
                #expect(try units() == 0)
                try rig.post(item(round + 1, quantity: round == 3 ? 3 : 1))
                #expect(try units() == (round == 3 ? 3 : 1), "round \(round)")
            }
            // Waits for the outbox.
            try rig.rebuild("commerce")
            #expect(try units() == 3)
            #expect(try rig.auditor.integer("SELECT stock FROM projections.commerce_products") == 5)
            #expect(try rig.auditor.integer("SELECT count(*) FROM projections.parked") == 0)
            try rig.expectVerified()
            try rig.rebuild("commerce")
            #expect(try units() == 3)
            try rig.expectVerified()
        }

        @Test func `retry-parked lets in what a table takes now, and says why the rest stays`() throws {
            let rig = try Rig("retry", pack: "workspaces")
            func workspace(_ id: Int, progress: Int) -> String {
                """
                {"event_type":"workspaces.workspace_saved","payload":{"id":\(id),"user_id":1,"title":"t\(id)",\
                "progress":\(progress),"created_at":"2026-11-01T00:00:00Z"}}
                """
            }
            try rig.post(workspace(1, progress: 120), workspace(2, progress: 150), workspace(3, progress: 50))
            try rig.post(Self.save(1, "x", "10:00:00"), Self.save(2, "x", "10:01:00"))
            #expect(try rig.auditor.integer("SELECT count(*) FROM projections.parked") == 3)
            let connection = try rig.database.connect()
            try connection.execute(
                """
                ALTER TABLE projections.workspaces_workspaces
                    DROP CONSTRAINT workspaces_workspaces_progress_check,
                    ADD CONSTRAINT workspaces_workspaces_progress_check CHECK (progress BETWEEN 0 AND 130)
                """)
            let run = try rig.daemon.run("projections", "retry-parked", "workspaces")
            #expect(!run.isSuccess, "\(run.output) \(run.errors)")
            #expect(run.output.contains("3 tried, 1 went in, 2 stay parked"), "\(run.output)")
            #expect(run.output.contains("workspaces_workspaces_progress_check"), "\(run.output)")
            #expect(run.output.contains("which 1 has"), "\(run.output)")
            #expect(try rig.auditor.integer("SELECT count(*) FROM projections.workspaces_workspaces") == 2)
            #expect(
                try rig.auditor.integer("SELECT sum(n) FROM projections.workspaces_status_counts") == 2)
            try rig.post(workspace(2, progress: 60), Self.save(1, "y", "10:02:00"))
            let again = try rig.daemon.run("projections", "retry-parked")
            #expect(again.isSuccess, "\(again.output) \(again.errors)")
            #expect(again.output.contains("nothing is parked"), "\(again.output)")
        }
    }
}
