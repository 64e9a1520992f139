import MillraceAccess
import MillraceIntake
import Testing

@testable import MillraceConfiguration

struct ConfigurationErrorTests {
    @Test(arguments: [
        (
            "[tcp]\nlisten = []\nconections_max = 5\n",
            "config.toml:3: tcp.conections_max is unknown; the nearest known key is tcp.connections_max"
        ),
        ("[http]\nwriters = 5\n", "config.toml:2: http.writers is unknown; the nearest known key is database.writers"),
        ("\n[tpc]\nlisten = []\n", "config.toml:2: [tpc] is unknown; the nearest known section is [tcp]"),
        (
            "writers = 2\n",
            "config.toml:1: writers is unknown, and stands before any section; the nearest known key is database.writers"
        ),
        ("tcp = 5\n", "config.toml:1: tcp is the integer 5; wanted: a section [tcp]"),
        ("[[tcp]]\nbacklog = 5\n", "config.toml:1: tcp is a list; wanted: a section [tcp]"),
        (
            "[tcp]\nconnections_max = \"many\"\n",
            "config.toml:2: tcp.connections_max is the string \"many\"; wanted: an integer from 1 to 1000000"
        ),
        (
            "tcp.connections_max = 0\n",
            "config.toml:1: tcp.connections_max is the integer 0; wanted: an integer from 1 to 1000000"
        ),
        (
            "tcp = { backlog = 1.5 }\n",
            "config.toml:1: tcp.backlog is the number 1.5; wanted: an integer from 1 to 65535"
        ),
        (
            "[limits]\nline_bytes = \"1MB\"\n",
            "config.toml:2: limits.line_bytes is the string \"1MB\"; wanted: a size from 1KiB to 16MiB, like \"4MiB\""
        ),
        (
            "[spool]\nretain = 10\n",
            "config.toml:2: spool.retain is the integer 10; wanted: a duration from 0s to 1mo, like \"250ms\", \"10s\", "
                + "\"5m\", \"24h\", \"30d\" or \"13mo\""
        ),
        (
            "[tcp]\nlisten = [1]\n", "config.toml:2: tcp.listen is a list; wanted: a list of strings"
        ),
        (
            "[partitions]\npayload_index = \"open\"\n",
            "config.toml:2: partitions.payload_index is the string \"open\"; wanted: \"live\", \"closed\", \"none\""
        ),
        (
            "[http]\nstrict_health_checks = \"true\"\n",
            "config.toml:2: http.strict_health_checks is the string \"true\"; wanted: true or false"
        ),
        (
            "[log]\nlevel = 2026-11-21\n",
            "config.toml:2: log.level is the time 2026-11-21; wanted: \"trace\", \"debug\", \"info\", \"notice\", "
                + "\"warning\", \"error\", \"critical\""
        ),
        (
            "[tcp]\nlisten = [\"0.0.0.0:7171\"]\n",
            "config.toml:2: tcp.listen 0.0.0.0:7171 is not loopback: it wants TLS (tcp.tls = true, with tls.certificate and "
                + "tls.key), and of every client a key (`millrace keys create`); where a proxy on a private network ends "
                + "TLS, auth.plaintext_behind_proxy = true (serve --insecure-plaintext) does without the first; or listen "
                + "on 127.0.0.1, [::1] or unix:/path"
        ),
        (
            "[http]\nlisten = [\"8080\"]\n",
            "config.toml:2: http.listen has \"8080\"; wanted: host:port, [v6]:port or unix:/path (of at most 107 bytes)"
        ),
        (
            "[http]\nlisten = [\"127.0.0.1:7171\"]\n",
            "config.toml:2: http.listen 127.0.0.1:7171 is in tcp.listen too; each needs an address of its own"
        ),
        (
            "[http]\nconnections_max = 16\n",
            "default: http.reserved_connections (16) leaves nothing of http.connections_max (16); lower it, or raise the "
                + "other"
        ),
        (
            "[spool]\nsegment_bytes = \"4GiB\"\nbytes = \"8GiB\"\n",
            "config.toml:2: spool.segment_bytes (4GiB) is above a quarter of spool.bytes (2GiB); lower it, or raise the other"
        ),
        (
            "[limits]\npayload_bytes = \"2MiB\"\n",
            "config.toml:2: limits.payload_bytes (2MiB) is above limits.line_bytes (1MiB); lower it, or raise the other"
        ),
        (
            "[database]\nretry_min = \"20s\"\n",
            "config.toml:2: database.retry_min (20s) is above database.retry_max (10s); lower it, or raise the other"
        ),
        (
            "[intake]\nunix_mode = \"0999\"\n",
            "config.toml:2: intake.unix_mode is the string \"0999\"; wanted: permission bits in octal, like \"0660\""
        ),
        ("[jwt]\nsecret = 5\n", "config.toml:2: jwt.secret is an integer; wanted: a string"),
        ("[jwt]\nsecret = \"short\"\n", "config.toml:2: jwt.secret has 5 bytes; HS256 wants 32 or more"),
        ("[jwt]\nkeys = [\"a\"]\n", "config.toml:2: jwt.keys is a list; wanted: [[jwt.keys]] tables"),
        (
            "[[jwt.keys]]\nalgorithm = \"HS256\"\n",
            "config.toml:1: jwt.keys needs an id: the kid of the tokens it signs"
        ),
        (
            "[[jwt.keys]]\nid = \"a\"\nalgo = \"HS256\"\n",
            "config.toml:3: jwt.keys.algo is unknown; the nearest known key is jwt.keys.id"
        ),
        (
            "[[jwt.keys]]\nid = \"a\"\nalgorithm = \"none\"\n",
            "config.toml:3: jwt.keys.algorithm is the string \"none\"; wanted: \"HS256\", \"RS256\", \"PS256\", \"ES256\", \"ES384\", \"EdDSA\""
        ),
        (
            "[[jwt.keys]]\nid = \"a\"\nalgorithm = \"ES256\"\nsecret = \"x\"\n",
            "config.toml:1: a key of jwt.keys for ES256 needs public_key_file; found: secret"
        ),
        (
            "[[jwt.keys]]\nid = \"a\"\nalgorithm = \"RS256\"\npublic_key_file = \"no.pem\"\n",
            "config.toml:4: no.pem cannot be read: No such file or directory"
        ),
    ])
    func `each fault names its place, its key and what is wanted`(text: String, message: String) throws {
        #expect(try errors(text) == [message])
    }

    @Test func `a syntax error has its line`() throws {
        let found = try errors("[tcp]\nlisten = [\nbacklog 5\n")
        #expect(found.count == 1)
        #expect(found.first?.hasPrefix("config.toml:3: is no TOML: ") == true)
        #expect(try errors("[tcp]\nbacklog = 1\nbacklog = 2\n").first?.hasPrefix("config.toml:3: is no TOML: ") == true)
    }

    @Test func `nothing after a NUL byte is passed over in silence`() throws {
        #expect(try errors("[tcp]\n\u{0}\nbacklog = 0\n") == ["config.toml:2: is no TOML: it holds a NUL byte"])
    }

    @Test func `all faults are reported together, in order`() throws {
        let found = try errors(
            "[log]\nlevl = 1\n[tcp]\nbacklog = 0\nlisten = 5\n", environment: ["MILLRACE_DATABASE_WRITERS": "65"],
            set: ["log.format=xml", "tcp.lisen=x"])
        #expect(
            found == [
                "config.toml:2: log.levl is unknown; the nearest known key is log.level",
                "config.toml:4: tcp.backlog is the integer 0; wanted: an integer from 1 to 65535",
                "config.toml:5: tcp.listen is the integer 5; wanted: a list of strings",
                "MILLRACE_DATABASE_WRITERS: database.writers is \"65\"; wanted: an integer from 1 to 64",
                "--set log.format: log.format is \"xml\"; wanted: \"text\", \"json\"",
                "--set tcp.lisen: tcp.lisen is unknown; the nearest known key is tcp.listen",
            ])
    }

    @Test func `a misspelt variable is named, other programs' are left alone`() throws {
        let found = try errors(
            "", environment: ["MILLRACE_HTTP_LISTN": "x", "MILLRACE_CHAOS_ROUNDS": "5", "HOME": "/"])
        #expect(found == ["MILLRACE_HTTP_LISTN: is unknown; the nearest known variable is MILLRACE_HTTP_LISTEN"])
    }

    @Test func `a variable and its file at once are refused`() throws {
        let fixture = try Fixture(["config.toml": "", "url": "postgresql://h/d"])
        let found = fixture.errors(environment: [
            "DATABASE_URL": "postgresql://x/", "DATABASE_URL_FILE": fixture.path("url"),
            "MILLRACE_JWT_SECRET_FILE": fixture.path("none"),
        ])
        #expect(
            found == [
                "DATABASE_URL_FILE: DATABASE_URL is set too; set one of the two, not both",
                "MILLRACE_JWT_SECRET_FILE: none cannot be read: No such file or directory",
            ])
    }

    @Test func `a file that was named must be there`() throws {
        let fixture = try Fixture()
        #expect(
            fixture.errors() == [
                "config.toml:1: cannot be read: No such file or directory; name a file that exists with --config"
            ])
    }

    @Test(arguments: ["127.0.0.1:0", "127.1.2.3:80", "localhost:80", "[::1]:80", "unix:/run/x.sock"])
    func `local listeners need no authentication`(address: String) throws {
        #expect(try errors("[tcp]\nlisten = [\"\(address)\"]\n") == [])
    }

    private static let remote = ["0.0.0.0:80", "[::]:80", "192.168.1.1:80", "example.org:80", "128.0.0.1:80"]

    @Test(arguments: remote)
    func `what others reach wants TLS, or a proxy that ends it`(address: String) throws {
        for section in ["http", "tcp"] {
            let listen = "[\(section)]\nlisten = [\"unix:/run/x.sock\", \"\(address)\"]\n"
            let found = try errors(listen)
            #expect(found.count == 1)
            #expect(found.first?.contains("\(section).listen \(address) is not loopback") == true)
            #expect(found.first?.contains("\(section).tls = true") == true)
            let tls = "tls = true\n[tls]\ncertificate = \"c.pem\"\nkey = \"k.pem\"\n"
            #expect(try errors(listen + tls) == [])
            #expect(try errors(listen + "[auth]\nplaintext_behind_proxy = true\n") == [])
        }
    }

    @Test
    func `a key is wanted from the start where others reach the daemon, with TLS or a proxy, and where it says so`() {
        var configuration = DaemonConfiguration()
        #expect(!configuration.wantsKeys && configuration.remoteListeners.isEmpty)
        configuration.auth.required = true
        #expect(configuration.wantsKeys)
        configuration.auth.required = false
        configuration.http.listen.append("0.0.0.0:443")
        #expect(configuration.wantsKeys && configuration.remoteListeners.map(\.hasTLS) == [false])
        configuration.http.tls = true
        #expect(configuration.wantsKeys && configuration.remoteListeners.map(\.hasTLS) == [true])
    }
}
