import Logging
import MillraceAPI
import MillracePostgres
import MillraceTestSupport
import Synchronization
import Testing

@Suite(.timeLimit(.minutes(10)), .onOwnThreads)
struct EventScanTests {
    /// Takes the server's notices, which auto_explain sends its plans as.
    private struct NoticeKeeper: LogHandler {
        let notices: Mutex<[String]>.Reference
        var metadata: Logger.Metadata = [:]
        var logLevel = Logger.Level.debug

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            guard let message = event.metadata?["message"] else { return }
            notices.value.withLock { $0.append("\(message)") }
        }
    }

    /// Every statement of later sessions sends its plan, those within functions too.
    private static func explain(_ fixture: ReadFixture) throws {
        let name = fixture.database.name
        try TestCluster.own.superuser().execute(
            "ALTER DATABASE \(name) SET session_preload_libraries = 'auto_explain'")
        for (setting, value) in [
            ("log_min_duration", "0"), ("log_level", "'notice'"), ("log_nested_statements", "on"),
        ] {
            try TestCluster.own.superuser().execute("ALTER DATABASE \(name) SET auto_explain.\(setting) = \(value)")
        }
    }

    @Test func `no route reads a table of a pack from end to end, where there are 50,000 rows`() async throws {
        let fixture = try ReadFixture(
            builtIn: ["analytics", "casework", "commerce", "conversations", "product", "workspaces"], on: .own)
        try ManyRows.fill(fixture.packs, on: fixture.database.connect())
        try Self.explain(fixture)
        let rows = try fixture.database.connect().execute("SELECT relname FROM pg_class WHERE reltuples >= 1000")
        let large = (0..<rows.rowCount).compactMap { rows.string($0, 0) }
        let notices = Mutex<[String]>.Reference([])
        let logger = Logger(label: "test", factory: { _ in NoticeKeeper(notices: notices) })
        // Of the user with the number 7.
        let user = "8f14e45f-ceea-167a-5a36-dedd4bea2543"
        try await fixture.withAPI(logger: logger) { client in
            for path in [
                "/v1/counts/analytics/events_by_hour", "/v1/counts/analytics/events_by_hour?event_type=x7&bucket=day",
                "/v1/tops/analytics/top_types", "/v1/uniques/analytics/active_users",
                "/v1/tops/conversations/top_users", "/v1/entities/conversations/feedback?user_id=\(user)",
                "/v1/counts/conversations/questions_by_user?user_id=\(user)",
                "/v1/status-counts/commerce/orders_by_status",
                "/v1/status-counts/commerce/revenue_by_day?bucket=month", "/v1/products/search?q=thign%20a87f",
                "/v1/entities/commerce/orders", "/v1/entities/commerce/orders?status=paid",
                "/v1/entities/commerce/orders?user_id=\(user)", "/v1/entities/commerce/products?active=true",
                "/v1/entities/commerce/users?email=u7@example.com", "/v1/entities/commerce/leads?limit=1000",
                "/v1/entities/commerce/stock_changes?product_id=\(user)",
                "/v1/entities/workspaces/workspaces?status=COMPLETED",
                "/v1/entities/workspaces/workspaces/7?include=messages", "/v1/entities/workspaces/users?username=u7",
                "/v1/entities/casework/documents?user_id=7&status=draft", "/v1/entities/casework/users?status=active",
                "/v1/events?type=type%207", "/v1/events?user_id=\(user)", "/v1/events?payload=%7B%22n%22%3A7%7D",
                "/v1/conversations?user_id=\(user)", "/v1/conversations/search?q=7", "/api/v1/stats-fast/dashboard",
                "/v1/funnels?steps=type%203,type%204&property=email&bucket=day", "/v1/retention?period=day",
                "/v1/sessions?gap=1h", "/v1/paths?type=type%203",
            ] {
                let answer = try await client.get(path)
                #expect(answer.status == 200, "\(path): \(answer.body)")
                guard let cursor = answer.json.next.text else { continue }
                let next = try await client.get(path + (path.contains("?") ? "&" : "?") + "cursor=\(cursor)")
                #expect(next.status == 200, "\(path): \(next.body)")
            }
        }
        let plans = notices.value.withLock { $0.filter { $0.contains("Query Text:") } }
        #expect(plans.count > 40)
        for plan in plans {
            for table in large where plan.contains("Seq Scan on \(table) ") { Issue.record("\(table): \(plan)") }
        }
        // A report looks at its time range, by the index of its types where it has some.
        for (mark, index) in [
            ("AS bits", "_event_type_created_at_idx"), ("AS begins", "_pkey"), ("AS cohort", "product_user_days_pkey"),
        ] {
            let reports = plans.filter { $0.contains(mark) && !$0.contains("format(") }
            #expect(!reports.isEmpty && reports.allSatisfy { $0.contains(index) }, "\(mark): \(reports)")
        }
    }

    @Test func `no route reads a month from end to end`() async throws {
        let fixture = try ReadFixture(on: .own)
        try fixture.addEvents(9000)
        try fixture.addConversations(1400)
        try fixture.database.connect().execute("ANALYZE")
        try Self.explain(fixture)
        let notices = Mutex<[String]>.Reference([])
        let logger = Logger(label: "test", factory: { _ in NoticeKeeper(notices: notices) })
        let user = ReadFixture.users[1]
        try await fixture.withAPI(logger: logger) { client in
            for path in [
                "/v1/events", "/v1/events?from=2020-01-01", "/v1/events?type=page.viewed", "/v1/events?user_id=\(user)",
                "/v1/events?type=page.viewed&user_id=\(user)", "/v1/events?payload=%7B%22n%22%3A7%7D",
                "/v1/events?payload=%7B%22tags%22%3A%5B%22t3%22%5D%7D&type=nothing.like.it",
                "/v1/events?payload=%7B%22price%22%3A1.5%7D&from=2020-01-01&limit=1000", "/v1/conversations",
                "/v1/conversations?user_id=\(user)", "/v1/conversations?conversation_id=c1",
                "/v1/conversations?from=2020-01-01&limit=1000", "/v1/conversations/search?q=poulets",
                "/v1/conversations/search?q=poulet&language=fr&user_id=\(user)",
                "/v1/conversations/search?q=chicken&language=en", "/v1/packs", "/v1/counts/shop/orders_by_hour",
                "/v1/tops/shop/buyers", "/v1/uniques/shop/visitors", "/v1/status-counts/shop/orders_by_status",
                "/v1/entities/shop/orders", "/v1/entities/shop/orders?user_id=\(user)",
                "/v1/entities/shop/orders/1?include=notes", "/api/v1/stats-fast/dashboard",
            ] {
                let answer = try await client.get(path)
                #expect([200, 404].contains(answer.status), "\(path): \(answer.body)")
                if let cursor = answer.json.next.text {
                    let next = try await client.get(path + (path.contains("?") ? "&" : "?") + "cursor=\(cursor)")
                    #expect(next.status == 200, "\(path): \(next.body)")
                }
            }
        }
        let plans = notices.value.withLock { $0.filter { $0.contains("Query Text:") } }
        #expect(plans.contains { $0.contains("analytics_events_y") })
        #expect(plans.contains { $0.contains("conversations_y") })
        for plan in plans {
            let isScan = plan.contains("Seq Scan on analytics_events") || plan.contains("Seq Scan on conversations_y")
            #expect(!isScan, "\(plan)")
            if plan.contains("websearch_to_tsquery"), !plan.contains("user_id =") {
                #expect(plan.contains("Bitmap Index Scan on conversations_"), "\(plan)")
            }
        }
    }
}
