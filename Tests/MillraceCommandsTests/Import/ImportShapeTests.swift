import MillraceEvent
import Testing

@testable import MillraceCommands
@testable import MillraceConsole

/// The exports of the systems that Millrace knows.
struct ImportShapeTests {
    private let recent = ImportRun.time(daysAgo: 3)
    private let user = "843d440a-a7a7-45ee-96df-3568c37384b9"
    private let product = "0b0c9cf3-90a9-4b33-8d8c-1f4a6d3c9a10"
    private let cart = "6f0f3f5e-9a3d-4c55-8a39-3d4f9d8c1b21"
    private let order = "c8a54a1e-3f1b-4e7e-9f5a-7d0d2a3b4c5d"

    @Test func `the summary of an object with named arrays tells users, templates, signatures and workspaces`() throws {
        let templates = (1...5).map { "{\"id\":\($0),\"user_id\":1,\"name\":\"T\($0)\",\"updated_at\":\"\(recent)\"}" }
        let signatures = (1...2).map { "{\"id\":\($0),\"user_id\":1,\"name\":\"S\($0)\",\"updated_at\":\"\(recent)\"}" }
        let workspaces = (1...29).map {
            "{\"id\":\($0),\"user_id\":1,\"title\":\"W\($0)\",\"status\":\"in_progress\",\"updated_at\":\"\(recent)\",\"messages\":[]}"
        }
        let run = try ImportRun(
            "export.json",
            """
            {"version": 2, "users":[{"id":1,"username":"a","password_hash":"x","updated_at":"\(recent)"}],
             "workspaces":[\(workspaces.joined(separator: ", "))],
             "templates":[\(templates.joined(separator: ",\n"))],
             "signatures":[\(signatures.joined(separator: ","))]}
            """)
        #expect(run.report.summary == "users 1, templates 5, signatures 2, workspaces 29, total 37")
        #expect(run.problems.isEmpty)
        #expect(run.report.secretsDropped == 1)
        #expect(!run.texts.joined().contains("password"))
        #expect(run.lines.first?.eventType == "workspaces.user_saved")
        #expect(run.lines.first?.userId == nil)
        #expect(run.lines.filter { $0.payload?.status == "IN_PROGRESS" }.count == 29)
    }

    @Test func `messages of a workspace become events of their own, each with its workspace`() throws {
        let run = try ImportRun(
            "workspaces.json",
            """
            [{"id":7,"userId":1,"title":"W","updatedAt":"\(recent)","messages":[
              {"id":1,"role":"user","content":"Bonjour","createdAt":"\(recent)"},
              {"role":"ASSISTANT","content":"ok","createdAt":"\(recent)"},
              {"role":"ASSISTANT","content":"ok","createdAt":"\(recent)"}]}]
            """)
        #expect(run.problems.isEmpty)
        #expect(run.report.summary == "workspaces 1, messages 3, total 4")
        #expect(
            run.lines.map(\.eventType) == ["workspaces.workspace_saved"]
                + Array(repeating: "workspaces.message_sent", count: 3))
        #expect(run.lines.dropFirst().allSatisfy { $0.payload?.workspaceId == "7" })
        #expect(Set(run.lines.map(\.id)).count == 4)
        #expect(!run.texts[0].contains("Bonjour"))
    }

    @Test func `a shop's carts and orders give up their items, whose ids are made where they have none`() throws {
        let run = try ImportRun(
            "shop.json",
            """
            {"users":[{"id":"\(user)","email":"a@example.org","role":"customer","password":"$2b$","createdAt":"\(recent)"}],
             "products":[{"id":"\(product)","name":"P","price":12.50,"stock":3,"deletedAt":null,"updatedAt":"\(recent)"}],
             "carts":[{"id":"\(cart)","userId":"\(user)","items":[{"productId":"\(product)","quantity":2}]}],
             "orders":[{"id":"\(order)","userId":"\(user)","status":"paid","total_amount":25.00,"created_at":"\(recent)",
                        "items":[{"productId":"\(product)","quantity":2,"unitPrice":12.50}]}],
             "leads":[{"name":"L","email":"l@example.org","message":"?","createdAt":"\(recent)"}]}
            """)
        #expect(run.problems.isEmpty, "\(run.problems)")
        #expect(
            run.report.summary
                == "users 1, products 1, carts 1, cart_items 1, orders 1, order_items 1, leads 1, total 7")
        let cartItem = run.lines.first { $0.eventType == "commerce.cart_item_saved" }
        #expect(cartItem?.payload?.cartId == .init(stringLiteral: cart))
        #expect(cartItem?.payload?.id != nil)
        #expect(run.lines.first { $0.eventType == "commerce.order_saved" }?.userId == user)
        #expect(run.texts.contains { $0.contains("\"price\":12.50") })
        #expect(run.lines.first { $0.eventType == "commerce.lead_captured" }?.createdAt == recent)
    }

    @Test func `users of a file with beneficiaries are those of casework, also when they nest them`() throws {
        let run = try ImportRun([
            "Users.json": Array(
                """
                [{"id":1,"email":"a@example.org","updatedAt":"\(recent)",
                  "Beneficiaries":[{"id":4,"firstName":"B","updatedAt":"\(recent)"}],
                  "Documents":[{"id":9,"beneficiaryId":4,"title":"D","updatedAt":"\(recent)"}]}]
                """.utf8),
            "beneficiaries.json": Array("[]".utf8),
            "conversations.json": Array(
                "[{\"id\":3,\"userId\":1,\"status\":\"open\",\"updatedAt\":\"\(recent)\"}]".utf8),
        ])
        #expect(run.problems.isEmpty)
        #expect(run.report.summary == "users 1, beneficiaries 1, documents 1, conversations 1, total 4")
        #expect(run.lines.compactMap(\.eventType).allSatisfy { $0.hasPrefix("casework.") })
    }

    @Test func `conversation saves keep their time, and their unknown members in metadata`() throws {
        let run = try ImportRun(
            "saves.json",
            """
            {"conversations":[{"id":5,"conversation_id":"c","user_id":"\(user)","question":"q","response":"r",
              "createdAt":"2026-11-05 12:00:00.123456+01:00","status":"active","metadata":{"a":1},"lang":"fr"}],
             "feedback":[{"conversation_id":"c","rating":1,"timestamp":"\(recent)"}],
             "invitations":[{"id":8,"email":"i@example.org","status":"sent","sentAt":"\(recent)"}]}
            """, limits: EventLimits(acceptPast: .seconds(86_400 * 36_500)))
        #expect(run.problems.isEmpty, "\(run.problems)")
        #expect(run.report.summary == "conversations 1, feedback 1, invitations 1, total 3")
        #expect(run.lines[0].timestamp == "2026-11-05T11:00:00.123456Z")
        #expect(run.texts[0].contains("\"metadata\":{\"a\":1,\"id\":5,\"lang\":\"fr\"}"))
        #expect(!run.texts[0].contains("status"))
    }

    @Test func `what the daemon takes is taken as it is, events and saves mixed`() throws {
        let id = "0192b1a4-7c3e-4a51-9f0e-2d6c1b8e4f70"
        let run = try ImportRun(
            "millrace-2026.ndjson",
            """
            {"id":"\(id)","event_type":"page.viewed","payload":{"password":"kept","n":1e2},"created_at":"\(recent)"}
            {"conversation_id":"c","user_id":"\(user)","question":"q","response":"r","timestamp":"\(recent)"}

            {"event_type":"no.id","created_at":"\(recent)"}
            """)
        #expect(run.problems.isEmpty)
        #expect(run.report.summary == "conversations 1, events 2, total 3")
        #expect(run.lines[0].id == id)
        #expect(run.texts[0].contains("{\"password\":\"kept\",\"n\":1e2}"))
        #expect(run.lines[2].id != nil)
    }

    @Test func `users alone may be anybody's, which is an error that names the choice`() throws {
        #expect(throws: CommandError.self) { try ImportRun("users.json", "[{\"id\":1}]") }
        #expect(try ImportRun("users.json", "[{\"id\":1}]", system: .workspaces).accepted == ["users": 1])
        #expect(
            try ImportRun(["users.json": Array("[{\"id\":1}]".utf8), "templates.json": []]).accepted == ["users": 1])
    }

    @Test func `a record with deleted_at ends after its state`() throws {
        let run = try ImportRun(
            "products.json",
            "[{\"id\":\"\(product)\",\"name\":\"P\",\"updatedAt\":\"\(recent)\",\"deletedAt\":\"\(recent)\"}]")
        #expect(run.lines.map(\.eventType) == ["commerce.product_saved", "commerce.product_deleted"])
        #expect(run.report.summary == "products 1, total 1")
        let times = run.lines.compactMap(\.createdAt)
        #expect(times[0] < times[1])
    }
}
