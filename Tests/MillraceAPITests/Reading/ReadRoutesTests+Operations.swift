import Testing

/// What all reading routes have in common.
extension ReadRoutesTests {
    @Test func `packs list their folds and where they are read`() async throws {
        let fixture = try await SharedReadFixture.value()
        try await fixture.withAPI { client in
            let packs = try await client.get("/v1/packs").json.items.elements
            #expect(packs.compactMap(\.pack.text) == ["conversations", "shop"])
            #expect(packs[1].live_version.int == 1)
            let folds = packs.flatMap(\.folds.elements)
            for fold in folds {
                let path = try #require(fold.path.text)
                let answer = try await client.get(path)
                #expect(answer.status == 200, "\(path): \(answer.body)")
            }
            #expect(folds.count == 10)
        }
    }

    @Test func `methods`() async throws {
        let fixture = try await SharedReadFixture.value()
        try await fixture.withAPI { client in
            let head = try await client.get("/v1/packs", method: "HEAD")
            #expect(head.status == 200)
            #expect(head.headers["content-length"] != "0")
            let post = try await client.get("/v1/counts/shop/orders_by_hour", method: "DELETE")
            #expect(post.status == 405)
            #expect(post.headers["allow"] == "GET, HEAD")
        }
    }

    @Test func `a database that is away is 503, and says when to come back`() async throws {
        let fixture = try await SharedReadFixture.value()
        try await fixture.withAPI(databaseURL: "host=/nonexistent dbname=x") { client in
            for path in ["/v1/events", "/v1/packs", "/v1/counts/shop/orders_by_hour", "/api/v1/stats-fast/dashboard"] {
                let answer = try await client.get(path)
                #expect(answer.status == 503)
                #expect(answer.headers["retry-after"] == "2")
                #expect(answer.json.error.code.text == "database_down")
            }
        }
    }
}
