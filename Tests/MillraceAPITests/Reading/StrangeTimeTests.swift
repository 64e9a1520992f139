import MillracePostgres
import MillraceTestSupport
import Testing

@testable import MillraceAPI

/// Times that RFC 3339 has no form for, as the routes print them.
@Suite(.onOwnThreads) struct StrangeTimeTests {
    private static let forms = [
        ("infinity", "infinity"), ("-infinity", "-infinity"),
        ("0044-03-15 12:00:00.5+00 BC", "-000043-03-15T12:00:00.5Z"),
        ("0001-01-01 00:00:00+00 BC", "+000000-01-01T00:00:00Z"), ("0001-01-01 00:00:00+00", "0001-01-01T00:00:00Z"),
        ("12026-11-21 10:00:00+00", "+012026-11-21T10:00:00Z"), ("9999-12-31 23:59:59+00", "9999-12-31T23:59:59Z"),
    ]

    @Test(arguments: forms) func `each time of PostgreSQL has one form`(form: (String, String)) {
        #expect(TimeText.rfc3339(form.0) == form.1)
    }

    @Test func `every route that prints a column of a time prints that form, and its pages go on`() async throws {
        let fixture = try ReadFixture()
        let connection = try fixture.database.connect()
        for (number, form) in Self.forms.enumerated() {
            try connection.execute(
                """
                INSERT INTO projections.shop_orders (id, user_id, status, created_at, event_at, event_id)
                VALUES (\(number + 1), '\(ReadFixture.users[0])', 'NEW', '\(form.0)', now(), gen_random_uuid());
                INSERT INTO projections.shop_notes (order_id, text, event_at, event_id)
                VALUES (1, '\(number)', '\(form.0)', gen_random_uuid());
                INSERT INTO projections.shop_orders_by_hour (region, channel, bucket, slot, n)
                VALUES ('r\(number)', 'c', '\(form.0)', 0, 1)
                """)
        }
        try await fixture.withAPI { client in
            for (number, form) in Self.forms.enumerated() {
                let one = try await client.get("/v1/entities/shop/orders/\(number + 1)")
                #expect(one.body.contains("\"created_at\":\"\(form.1)\""), "\(one.body)")
            }
            for path in [
                "/v1/entities/shop/orders?limit=2", "/v1/entities/shop/notes?order_id=1&limit=2",
                "/v1/entities/shop/orders/1?include=notes&limit=2",
            ] {
                var (address, times) = (path, Set<String>())
                while true {
                    let page = try await client.get(address)
                    #expect(page.status == 200, "\(page.body)")
                    for form in Self.forms where page.body.contains("_at\":\"\(form.1)\"") { times.insert(form.1) }
                    guard let cursor = page.json.next.text else { break }
                    address = path + "&cursor=\(cursor)"
                }
                #expect(times == Set(Self.forms.map(\.1)), "\(path)")
            }
            let counts = try await client.get(
                "/v1/counts/shop/orders_by_hour?bucket=hour&from=0001-01-01&to=9999-12-31")
            #expect(counts.body.contains("\"bucket\":\"0001-01-01T00:00:00Z\""), "\(counts.body)")
        }
    }
}
