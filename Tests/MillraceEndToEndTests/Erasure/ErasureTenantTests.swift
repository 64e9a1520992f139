import MillraceEvent
import MillracePostgres
import MillraceTestSupport
import Testing

extension EndToEnd {
    /// Who may erase whom.
    struct ErasureTenantTests {
        private static let user = ErasureInstallation.user
        private static let word = ErasureInstallation.word

        private func status(_ erasure: ErasureInstallation, _ user: String, key: String?) throws -> HTTPResponse {
            try HTTPClient(erasure.daemon.http).request(
                "DELETE", "/v1/users/\(user)", headers: key.map { [("Authorization", "Bearer \($0)")] } ?? [])
        }

        /// All that a tenant has, but for what changes with time.
        private func rows(of tenant: Int, in erasure: ErasureInstallation) throws -> [String] {
            let tables = try erasure.auditor.strings(
                """
                SELECT c.oid::regclass::text
                FROM pg_class AS c
                JOIN pg_namespace AS n ON n.oid = c.relnamespace
                JOIN pg_attribute AS a ON a.attrelid = c.oid AND attname = 'tenant_id'
                WHERE c.relkind IN ('r', 'p') AND (nspname = 'public' OR nspname = 'projections')
                    AND relname NOT LIKE 'access\\_%' AND relname NOT LIKE 'eras%'
                ORDER BY 1
                """)
            return try tables.map { table in
                let sum = try erasure.auditor.strings(
                    "SELECT count(*) || ' ' || coalesce(sum(hashtext(t::text)::bigint), 0) FROM \(table) AS t WHERE tenant_id = \(tenant)"
                )
                return "\(table) \(sum)"
            }
        }

        @Test func `an admin key erases its own tenant's user, and another tenant's of the same id stays as it was`()
            throws
        {
            let erasure = try ErasureInstallation()
            let daemon = erasure.daemon
            func key(_ scope: String, _ tenant: String) throws -> String {
                try #require(try MadeKey.create(on: daemon, "--scope", scope, "--tenant", tenant).key)
            }
            for name in ["one", "two"] { #expect(try daemon.run("tenants", "create", name).isSuccess) }
            let lines = erasure.lines(Self.user, Self.word, number: 1)
            let letter =
                #"{"event_type":"page.viewed","user_id":"\#(Self.user)","payload":{"email":"\#(Self.word)"},"x":1}"#
            for name in ["one", "two"] {
                let write = try key("write", name)
                #expect(eventually { daemon.status(key: write) == 202 })
                let answer = try HTTPClient(daemon.http).request(
                    "POST", "/v1/events?ack=committed",
                    headers: [("Content-Type", "application/x-ndjson"), ("Authorization", "Bearer \(write)")],
                    body: Array(lines.joined(separator: "\n").utf8))
                #expect(answer.status == 200, "\(answer.text)")
            }
            // Both have a letter, and so has tenant 0.
            try erasure.installation.database.connect().execute(
                """
                INSERT INTO public.dead_letters (tenant_id, spool_id, sequence, kind, code, message, line, received_at, batch_id)
                SELECT tenant, gen_random_uuid(), 1, 'refused', 'unknown_field', 'x', '\(letter)', now(), 0
                FROM generate_series(0, 2) AS tenant
                """)
            let others = try [0, 2].flatMap { try rows(of: $0, in: erasure) }

            for scope in ["write", "read", "decrypt"] {
                #expect(try status(erasure, Self.user, key: key(scope, "one")).status == 403, "\(scope)")
            }
            #expect(try status(erasure, Self.user, key: nil).status == 401)
            #expect(try erasure.auditor.integer("SELECT count(*) FROM public.erasures") == 0)
            let admin = try key("admin", "one")
            #expect(eventually { (try? status(erasure, "nobody", key: admin).status) == 202 })
            #expect(try status(erasure, Self.user, key: admin).status == 202)
            #expect(
                eventually(within: .seconds(60)) {
                    (try? erasure.auditor.strings("SELECT tenant_id || state FROM public.erasures")) == [
                        "1done", "1done",
                    ]
                })
            #expect(try [0, 2].flatMap { try rows(of: $0, in: erasure) } == others)
            let left = try erasure.auditor.integer(
                """
                SELECT count(*) FROM public.analytics_events
                WHERE tenant_id = 1 AND (user_id = '\(Self.user)' OR payload::text LIKE '%\(Self.user)%')
                """)
            #expect(left == 0)
            let letters = try erasure.auditor.strings(
                "SELECT tenant_id || ' ' || coalesce(line, 'NULL') FROM public.dead_letters ORDER BY tenant_id")
            #expect(letters == ["0 \(letter)", "1 NULL", "2 \(letter)"])
            // The spool has the other's lines.
            #expect(try ErasureInstallation.grep(Self.word, daemon.directory + "/spool").count > 0)
            // They are of no spool.
            try erasure.installation.database.connect().execute("DELETE FROM public.dead_letters")
            try erasure.verify()

            let audit = try erasure.auditor.strings(
                """
                SELECT concat_ws(' ', action, actor_kind, after ->> 'tenant', after ->> 'source')
                FROM public.audit_log
                WHERE action LIKE 'user.%'
                ORDER BY action, at
                """)
            #expect(
                audit.filter { $0.hasPrefix("user.erase_request") }
                    == Array(repeating: "user.erase_request key 1 api", count: 2), "\(audit)")
            #expect(audit.count { $0.hasPrefix("user.erase ") } == 2, "\(audit)")
            #expect(
                try erasure.auditor.integer(
                    "SELECT count(*) FROM public.audit_log AS a WHERE a::text ~* '\(Self.user)|nobody'") == 0)
            _ = try erasure.eraseAll(Self.user, "--tenant", "2")
            #expect(try ErasureInstallation.grep(Self.word, daemon.directory + "/spool").count == 0)
        }

        @Test func `an erasure is asked for over HTTP by a UUID, or by a tenant's own id with what a URL escapes`()
            throws
        {
            let erasure = try ErasureInstallation()
            let external = "kunde/17 ä"
            // As an import makes it.
            let id = "\(ExternalUserID.id(of: external, tenant: 0))"
            try erasure.send(erasure.lines(Self.user, Self.word, number: 1))
            try erasure.send([
                erasure.event("page.viewed", #"{"customer":"\#(external)"}"#, user: id, "2026-11-25T09:00:00Z")
            ])
            #expect(try status(erasure, Self.user, key: nil).status == 202)
            #expect(try status(erasure, Self.user, key: nil).status == 202)
            #expect(
                try eventually { try erasure.auditor.strings("SELECT DISTINCT state FROM public.erasures") == ["done"] }
            )
            try erasure.expectNowhere(Self.user)
            try erasure.expectNowhere(Self.word)
            for wrong in ["%00", "%0A", String(repeating: "a", count: 201)] {
                #expect(try status(erasure, wrong, key: nil).status == 400, "\(wrong)")
            }
            let escaped = external.utf8.map { "%" + ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
            #expect(try status(erasure, escaped, key: nil).status == 202)
            #expect(
                try eventually { try erasure.auditor.strings("SELECT DISTINCT state FROM public.erasures") == ["done"] }
            )
            try erasure.expectNowhere(id)
            try erasure.expectNowhere(external)
            try erasure.verify()
        }
    }
}
