import MillracePostgres
import MillraceTestSupport
import Testing

extension EndToEnd {
    /// `millrace keys` and `millrace tenants` on a database, without a daemon.
    struct KeyCommandTests {
        private struct Listed: Decodable {
            var keys: [MadeKey]
        }

        private let installation: Installation
        private var daemon: DaemonProcess { installation.daemon }

        init() throws {
            installation = try Installation("keyCommands")
        }

        private func list(_ arguments: String...) throws -> [MadeKey] {
            try daemon.run(["keys", "list", "--json"] + arguments).report(Listed.self).keys
        }

        @Test func `a key is printed once, alone, and nothing else ever shows it or its hash`() throws {
            let made = try daemon.run("keys", "create", "--scope", "write", "--name", "web")
            #expect(made.isSuccess, "\(made.errors)")
            let key = made.output.split(separator: "\n")
            #expect(key.count == 1)
            #expect(key[0].wholeMatch(of: #/mr_w_[0-9a-z]{12}_[0-9A-Za-z]{49}/#) != nil)
            let (id, secret) = (key[0].dropFirst(5).prefix(12), key[0].dropFirst(18).prefix(43))
            #expect(made.errors.contains(id) && !made.errors.contains(secret))
            #expect(made.errors.contains("from now on"), "the first key is told to close the door")
            #expect(try !daemon.run("keys", "create", "--scope", "read").errors.contains("from now on"))

            let connection = try installation.database.connect()
            let hash = try #require(
                try connection.query(
                    "SELECT encode(secret_hash, 'hex'), encode(sha256($1::bytea), 'hex') FROM access_keys WHERE id = $2",
                    parameters: [.text(String(secret)), .text(String(id))]
                ).texts.first)
            #expect(hash[0] == hash[1])
            for command in [
                ["keys", "list", "--all"], ["keys", "list", "--json"], ["keys", "rotate", String(id), "--json"],
                ["keys", "revoke", String(id), "--json"], ["check", "--all"], ["audit"],
            ] {
                let run = try daemon.run(command)
                #expect(!(run.output + run.errors).contains(secret), "\(command)")
                #expect(!(run.output + run.errors).contains(hash[0]), "\(command)")
            }
            let dump =
                try connection.execute("SELECT string_agg(audit_log::text, ' ') FROM audit_log").string(0, 0) ?? ""
            #expect(dump.contains("key.create") && dump.contains("key.rotate") && dump.contains("key.revoke"))
            #expect(!dump.contains(secret) && !dump.contains(hash[0]))
        }

        @Test func `what a key was made with is listed, and rotation gives it on`() throws {
            #expect(try daemon.run("tenants", "create", "Acme & Söhne").output == "tenant 1: Acme & Söhne\n")
            let key = try MadeKey.create(
                on: daemon, "--scope", "write", "--scope", "read", "--tenant", "Acme & Söhne", "--name", "büro \"1\"",
                "--type", "page.*", "--type", "signup", "--rate", "1000", "--burst", "5000", "--byte-rate", "1MiB",
                "--byte-burst", "4194304", "--expires", "2999-01-31T12:00:00+01:00", "--origin",
                "https://App.Example.com:8443", "--client-subject", "CN=web,O=Acme")
            #expect(key.tenant == 1 && key.scopes == ["write", "read"] && key.types == ["page.*", "signup"])
            #expect(key.rate == 1000 && key.burst == 5000 && key.byteRate == 1 << 20 && key.byteBurst == 4 << 20)
            #expect(key.expiresAt == "2999-01-31T11:00:00.000000Z")
            #expect(key.origins == ["https://app.example.com:8443"] && key.clientSubject == "CN=web,O=Acme")
            let rotated = try daemon.run("keys", "rotate", key.id, "--json").report(MadeKey.self)
            var expected = key
            expected.id = rotated.id
            expected.key = rotated.key
            expected.replaces = key.id
            #expect(rotated == expected && rotated.id != key.id && rotated.key != key.key && rotated.key != nil)
            let listed = try list("--tenant", "1")
            #expect(listed.map(\.state) == ["rotating", "in_force"])
            #expect(listed.allSatisfy { $0.key == nil })
            #expect(try list("--tenant", "0").isEmpty)
            let table = try daemon.run("keys", "list")
            #expect(table.output.contains("page.*,signup") && table.output.contains("1,000 events/s, 1 MiB/s"))
            #expect(table.output.contains("in force until "))
        }

        @Test func `a key that ended is listed on request alone, and can't be rotated`() throws {
            let key = try MadeKey.create(on: daemon, "--scope", "write")
            let gone = try daemon.run("keys", "rotate", key.id, "--overlap", "0s", "--json").report(MadeKey.self)
            #expect(try list().map(\.id) == [gone.id])
            #expect(try list("--all").map(\.state) == ["revoked", "in_force"])
            let again = try daemon.run("keys", "rotate", key.id)
            #expect(again.exit == .status(1) && again.errors.contains("key \(key.id) is revoked"))
            // A whole key, as somebody found it, stands for its id.
            let text = try #require(gone.key)
            let revoked = try daemon.run("keys", "revoke", text)
            #expect(revoked.isSuccess && revoked.output.contains("key \(gone.id) is revoked"))
            #expect(try daemon.run("keys", "revoke", gone.id).output.contains("was revoked already"))
            #expect(try list().isEmpty)
            #expect(try daemon.run("keys", "list").output == "2 have ended (--all shows them)\n")
        }

        @Test(
            arguments: [
                (["keys", "create"], 2, "Say what it opens: --scope write"),
                (["keys", "create", "--scope", "owner"], 2, "owner"),
                (["keys", "create", "--scope", "write", "--tenant", "9"], 1, "there is no tenant 9"),
                (["keys", "create", "--scope", "write", "--tenant", "acme"], 1, "millrace tenants create NAME"),
                (["keys", "create", "--scope", "write", "--rate", "0"], 2, "from 1 to 2147483647"),
                (["keys", "create", "--scope", "write", "--burst", "5"], 2, "--burst wants a --rate"),
                (["keys", "create", "--scope", "write", "--expires", "2001-01-01T00:00:00Z"], 2, "--expires"),
                (["keys", "create", "--scope", "write", "--expires", "0s"], 2, "--expires"),
                (["keys", "create", "--scope", "write", "--expires", "99999999999999d"], 2, "--expires"),
                (["keys", "create", "--scope", "write", "--type", "page*"], 2, "prefix.*"),
                (["keys", "create", "--scope", "write", "--type", ".*"], 2, "prefix.*"),
                (["keys", "create", "--scope", "write", "--type", "a\u{1F}b"], 2, "control characters"),
                (["keys", "create", "--scope", "write", "--origin", "https://a.example/path"], 2, "--origin"),
                (["keys", "create", "--scope", "write", "--name", "a\nb"], 2, "control characters"),
                (["keys", "revoke", "0123456789ab"], 1, "there is no key 0123456789ab"),
                (["keys", "revoke", "x"], 2, "x"),
                (["keys", "rotate", "0123456789ab", "--overlap", "400d"], 2, "at most 366d"),
                (["tenants", "create", "7"], 2, "is no number"),
                (["tenants", "create", " a"], 2, "no blanks at its ends"),
                (["tenants", "create", "default"], 1, "there is a tenant default already"),
                (["tenants", "create", "a", "--id", "0"], 2, "--id is above 0"),
            ] as [([String], Int32, String)])
        func `what can't be is refused with the fix, and makes nothing`(
            command: [String], status: Int32, words: String
        ) throws {
            let run = try daemon.run(command)
            #expect(run.exit == .status(status), "\(run.errors)")
            #expect(run.errors.contains(words), "\(run.errors)")
            #expect(run.output.isEmpty)
            #expect(try list("--all").isEmpty)
        }

        @Test func `two keys can't be more than auth.keys_max, and a database without the tables is told`() throws {
            #expect(try daemon.run("keys", "create", "--scope", "read", "--set", "auth.keys_max=1").isSuccess)
            let second = try daemon.run("keys", "create", "--scope", "read", "--set", "auth.keys_max=1")
            #expect(second.exit == .status(1) && second.errors.contains("raise auth.keys_max"))
            try installation.database.connect().execute("DROP TABLE access_keys")
            for command in [
                ["keys", "create", "--scope", "read"], ["keys", "list"], ["keys", "revoke", "0123456789ab"],
            ] {
                let run = try daemon.run(command)
                #expect(run.exit == .status(1) && run.errors.contains("millrace migrate up"), "\(run.errors)")
            }
        }
    }
}
