import FoundationEssentials
import Logging
import MillraceAPI
import MillraceIntake
import MillracePostgres
import MillraceSpool
import MillraceTelemetry
import MillraceWriter
import Testing

@testable import MillraceConfiguration

struct ConfigurationLoaderTests {
    @Test func `flags win over the environment, that over the file, that over the defaults`() throws {
        let text = "[database]\nwriters = 3\nbatch_rows = 100\n[log]\nlevel = \"debug\"\n"
        let loaded = try load(
            text, environment: ["MILLRACE_DATABASE_WRITERS": "4", "MILLRACE_DATABASE_BATCH_ROWS": "200"],
            set: ["database.writers=5"])
        #expect(loaded.configuration.database.writers == 5)
        #expect(loaded.configuration.database.batchRows == 200)
        #expect(loaded.configuration.log.level == .debug)
        #expect(loaded.configuration.log.format == .text)
    }

    @Test func `every value knows where it came from`() throws {
        let fixture = try Fixture(["config.toml": "\n[log]\n# level\nlevel = \"debug\"\n"])
        let loaded = try fixture.load(
            environment: ["MILLRACE_LOG_FORMAT": "json"],
            overrides: [
                ConfigurationOverride(key: "data.directory", value: "/data", flag: "--data-directory"),
                try #require(ConfigurationOverride(assignment: "database.writers=1")),
            ])
        #expect(loaded.origin(of: "log.level") == .file(path: fixture.path("config.toml"), line: 4))
        #expect(loaded.origin(of: "log.format") == .environment("MILLRACE_LOG_FORMAT"))
        #expect(loaded.origin(of: "data.directory") == .flag("--data-directory"))
        #expect(loaded.origin(of: "database.writers") == .flag("--set database.writers"))
        #expect(loaded.origin(of: "tcp.listen") == .builtIn)
        #expect(loaded.configuration.spoolDirectory == "/data/spool")
        #expect(loaded.file == fixture.path("config.toml"))
    }

    @Test func `without a file the defaults hold`() throws {
        let loaded = try ConfigurationLoader.load(file: nil, environment: ["MILLRACE_CONFIG": ""])
        #expect(loaded.configuration == DaemonConfiguration())
    }

    @Test func `MILLRACE_CONFIG names the file`() throws {
        let fixture = try Fixture(["other.toml": "[dedup]\nwindow = \"1h\"\n"])
        let loaded = try ConfigurationLoader.load(
            file: nil, environment: ["MILLRACE_CONFIG": fixture.path("other.toml")])
        #expect(loaded.configuration.dedup.window == .seconds(3600))
    }

    @Test func `lists come separated by commas`() throws {
        let loaded = try load(
            "", environment: ["MILLRACE_TCP_LISTEN": "127.0.0.1:1, unix:/run/m.sock"])
        #expect(loaded.configuration.tcp.listen == ["127.0.0.1:1", "unix:/run/m.sock"])
    }

    @Test func `an empty variable is none, whatever its key`() throws {
        let names = ConfigurationSchema.sections.flatMap { section in section.keys.map(section.environmentName) }
        let aliases = ConfigurationSchema.environmentAliases.map(\.0)
        let environment = (names + names.map { $0 + "_FILE" } + aliases + ["MILLRACE_CONFIG", "MILLRACE_TCP_LISTN"])
            .map { ($0, "") }
        let loaded = try load(
            "[database]\nurl = \"host=h\"\n", environment: Dictionary(environment) { $1 })
        #expect(loaded.configuration.database.url == Secret("host=h"))
        #expect(loaded.configuration.http.listen == DaemonConfiguration().http.listen)
    }

    @Test(arguments: [
        ("DATABASE_URL", "postgresql://a/b"), ("MILLRACE_DATABASE_URL", "postgresql://a/b"),
    ])
    func `the database is named by either variable`(variable: String, url: String) throws {
        let loaded = try load("[database]\nurl = \"postgresql://file/\"\n", environment: [variable: url])
        #expect(loaded.configuration.database.url == Secret(url))
        #expect(loaded.origin(of: "database.url") == .environment(variable))
    }

    @Test(arguments: [
        (["PGHOST": "db"], "postgresql:///millrace", "PGHOST"),
        (["PGHOSTADDR": "10.0.0.1", "PGUSER": "u"], "postgresql:///millrace", "PGHOSTADDR"),
        (["PGHOST": "db", "PGDATABASE": "events"], "postgresql:///", "PGHOST"),
        (["PGDATABASE": "events"], "postgresql:///?host=/var/run/postgresql", "PGDATABASE"),
        (["PGPORT": "6432"], "postgresql:///millrace?host=/var/run/postgresql", "PGPORT"),
        (["PGSERVICE": "events", "PGHOST": "db"], "postgresql:///", "PGSERVICE"),
    ])
    func `libpq's variables count where nobody wrote a URL`(
        environment: [String: String], url: String, variable: String
    ) throws {
        let loaded = try load("", environment: environment)
        #expect(loaded.configuration.database.url == Secret(url))
        #expect(loaded.origin(of: "database.url") == .environment(variable))
        let shipped = try load(
            "[database]\nurl = \"\(DaemonConfiguration().database.url.value)\"\n", environment: environment)
        #expect(shipped.configuration.database.url == Secret(url))
        let written = try load("[database]\nurl = \"postgresql://file/\"\n", environment: environment)
        #expect(written.configuration.database.url == Secret("postgresql://file/"))
        let user = try load("", environment: ["PGUSER": "u", "PGPASSWORD": "p"])
        #expect(user.origin(of: "database.url") == .builtIn)
    }

    @Test(arguments: ["database.url", "api.read_url", "identity.url"])
    func `a connection string that cannot be read is an error of its key, and is not repeated`(key: String) throws {
        for text in ["postgresql://u:hunter@zwei@h/d", "mysql://u:hunterzwei@h/d", "host=h password='hunterzwei"] {
            let error = try #require(throws: ConfigurationErrors.self) { try load("", set: ["\(key)=\(text)"]) }
            #expect(error.errors.map(\.key) == [key])
            #expect(error.description.contains("%40") && error.description.contains("cannot be parsed"))
            #expect(!error.description.contains("hunter") && !error.description.contains("zwei"))
        }
    }

    @Test func `replicas are one string or a list of them, as text one a line, and no password is shown`() throws {
        let (first, second) = ("host=a,b port=5432 password=hunter2", "postgresql://u:hunter3@c/d")
        func replicas(_ toml: String, _ environment: [String: String] = [:]) throws -> [String] {
            let loaded = try load(toml, environment: environment)
            let shown = loaded.settings.first { $0.key == "api.read_url" }?.value ?? ""
            #expect(!shown.contains("hunter"))
            return loaded.configuration.api.readURL.map(\.value)
        }
        #expect(try replicas("") == [])
        #expect(try replicas("[api]\nread_url = \"\"\n") == [])
        #expect(try replicas("[api]\nread_url = \"\(first)\"\n") == [first])
        #expect(try replicas("[api]\nread_url = [\"\(first)\", \"\(second)\"]\n") == [first, second])
        #expect(try replicas("", ["MILLRACE_API_READ_URL": first]) == [first])
        #expect(try replicas("", ["MILLRACE_API_READ_URL": "\(first)\n\n \(second)\n"]) == [first, second])
        for wrong in ["5", "[5]", "true"] {
            let error = try #require(throws: ConfigurationErrors.self) { try load("[api]\nread_url = \(wrong)\n") }
            #expect(error.errors.map(\.key) == ["api.read_url"])
        }
        let many = (0...16).map { "\"host=h\($0)\"" }.joined(separator: ", ")
        let error = try #require(throws: ConfigurationErrors.self) { try load("[api]\nread_url = [\(many)]\n") }
        #expect(error.description.contains("17 servers"))
        let flawed = try #require(throws: ConfigurationErrors.self) {
            try load("[api]\nread_url = [\"host=h\", \"postgresql://u:hunter@zwei@h/d\"]\n")
        }
        #expect(flawed.errors.map(\.key) == ["api.read_url"] && !flawed.description.contains("zwei"))
    }

    @Test func `Millrace's own variable wins over the shared one`() throws {
        let environment = ["DATABASE_URL": "postgresql://shared/", "MILLRACE_DATABASE_URL": "postgresql://own/"]
        #expect(try load("", environment: environment).configuration.database.url.value == "postgresql://own/")
    }

    @Test(arguments: [("true", true), ("1", true), ("yes", true), ("false", false), ("0", false), ("", false)])
    func `STRICT_HEALTH_CHECKS is a switch`(text: String, isStrict: Bool) throws {
        let loaded = try load("", environment: ["STRICT_HEALTH_CHECKS": text])
        #expect(loaded.configuration.routes.strictHealthChecks == isStrict)
    }

    @Test func `secrets come from files, without the line's end`() throws {
        let fixture = try Fixture([
            "config.toml": "", "url": "postgresql://u:p@h/d\n", "secret": "  0123456789abcdef0123456789abcdef \n",
        ])
        let loaded = try fixture.load(environment: [
            "DATABASE_URL_FILE": fixture.path("url"), "MILLRACE_JWT_SECRET_FILE": fixture.path("secret"),
        ])
        #expect(loaded.configuration.database.url.value == "postgresql://u:p@h/d")
        #expect(loaded.configuration.jwt.secret.value == "0123456789abcdef0123456789abcdef")
        #expect(loaded.origin(of: "database.url") == .environment("DATABASE_URL_FILE"))
    }

    @Test func `each secret may come from a file and from a credential, and neither is shown`() throws {
        let secret = "hunterzwei-hunterzwei-hunterzwei-hunterzwei"
        let keys = ConfigurationSchema.sections.flatMap { section in
            section.keys.filter { $0.secrecy != .open }.map { (section, $0) }
        }
        #expect(keys.count >= 5)
        for (section, key) in keys {
            let name = section.fullName(of: key)
            let value = key.secrecy == .connectionString ? "postgresql://u:\(secret)@h/d" : secret
            let fixture = try Fixture(["config.toml": "", "millrace.\(name)": value + "\n", "other": value])
            for (environment, origin) in [
                (["CREDENTIALS_DIRECTORY": fixture.directory], ConfigurationOrigin.credential("millrace.\(name)")),
                (
                    [section.environmentName(of: key) + "_FILE": fixture.path("other")],
                    .environment(section.environmentName(of: key) + "_FILE")
                ),
            ] {
                let loaded = try fixture.load(environment: environment)
                #expect(key.read(loaded.configuration) == .string(value), "\(name)")
                #expect(loaded.origin(of: name) == origin && loaded.secretFiles.count == 1)
                var dumped = ""
                dump(loaded, to: &dumped)
                #expect(!"\(loaded)".contains("hunter") && !dumped.contains("hunter"), "\(name)")
            }
        }
    }

    @Test func `a credential wins over config.toml, and the environment over both`() throws {
        let fixture = try Fixture([
            "config.toml": "[database]\nurl = \"host=file password=p\"\n", "millrace.database.url": "host=credential\n",
        ])
        let credentials = ["CREDENTIALS_DIRECTORY": fixture.directory]
        #expect(try fixture.load().configuration.database.url.value == "host=file password=p")
        #expect(try fixture.load().secretFiles == [fixture.path("config.toml")])
        #expect(try fixture.load(environment: credentials).configuration.database.url.value == "host=credential")
        let all = credentials.merging(["DATABASE_URL": "host=environment"]) { $1 }
        #expect(try fixture.load(environment: all).configuration.database.url.value == "host=environment")
    }

    @Test func `a certificate and its key may be credentials, whose paths are taken`() throws {
        let fixture = try Fixture(["config.toml": "", "millrace.tls.certificate": "C", "millrace.tls.key": "K"])
        let loaded = try fixture.load(environment: ["CREDENTIALS_DIRECTORY": fixture.directory])
        #expect(loaded.configuration.tls.certificate == fixture.path("millrace.tls.certificate"))
        #expect(loaded.configuration.tls.key == fixture.path("millrace.tls.key"))
        #expect(loaded.origin(of: "tls.key") == .credential("millrace.tls.key"))
    }

    @Test func `a credential that can't be read is an error that names it`() throws {
        let fixture = try Fixture(["config.toml": ""])
        try FileManager.default.createDirectory(
            atPath: fixture.path("millrace.jwt.secret"), withIntermediateDirectories: false)
        let errors = fixture.errors(environment: ["CREDENTIALS_DIRECTORY": fixture.directory])
        #expect(errors.count == 1 && errors[0].hasPrefix("credential millrace.jwt.secret: "), "\(errors)")
    }

    @Test func `the unit passes each credential that Millrace reads`() throws {
        let path = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
        let unit = FileManager.default.contents(atPath: "/\(path)/systemd/millrace.service")
        let lines = String(decoding: unit ?? Data(), as: UTF8.self).split(separator: "\n")
        let passed = lines.filter { $0.hasPrefix("LoadCredential=") }.map { $0.dropFirst("LoadCredential=".count) }
        #expect(passed.map(String.init) == CredentialsDirectory.names)
    }

    @Test func `signing keys are read, with their files`() throws {
        let pem = "-----BEGIN PUBLIC KEY-----\nAA\n-----END PUBLIC KEY-----\n"
        let secret = "0123456789abcdef0123456789abcdef"
        let text = """
            [jwt]
            issuer = "https://auth"
            [[jwt.keys]]
            id = "a"
            algorithm = "HS256"
            secret = "\(secret)"
            [[jwt.keys]]
            id = "b"
            algorithm = "HS256"
            secret_file = "b.secret"
            [[jwt.keys]]
            id = "c"
            algorithm = "RS256"
            public_key_file = "c.pem"
            """
        let fixture = try Fixture(["config.toml": text, "b.secret": secret + "\n", "c.pem": pem])
        let loaded = try fixture.load()
        #expect(
            loaded.configuration.jwt.keys == [
                JWTKey(id: "a", algorithm: .hs256, material: .secret(Secret(secret))),
                JWTKey(id: "b", algorithm: .hs256, material: .secret(Secret(secret))),
                JWTKey(id: "c", algorithm: .rs256, material: .publicKey(pem: pem)),
            ])
        #expect(loaded.origin(of: "jwt.keys") == .file(path: fixture.path("config.toml"), line: 3))
        #expect(loaded.description.contains("jwt.keys = [\"a:HS256\", \"b:HS256\", \"c:RS256\"]"))
        #expect(!"\(loaded.configuration)".contains(secret))
        var dumped = ""
        dump(loaded.configuration, to: &dumped)
        #expect(!dumped.contains(secret))
    }

    @Test func `a report shows no secret`() throws {
        let secret = "0123456789abcdef0123456789abcdef"
        let report = try load(
            "[database]\nurl = \"postgresql://u:hunter2@h/d?sslpassword=hunter3\"\n[jwt]\nsecret = \"\(secret)\"\n"
        ).description
        #expect(report.contains("database.url = \"postgresql://u:***@h/d?sslpassword=***\""))
        #expect(report.contains("jwt.secret = \"***\""))
        #expect(!report.contains("hunter"))
        #expect(!report.contains(secret))
    }

    @Test(arguments: [
        ("64MiB", 64 << 20), ("1 GiB", 1 << 30), ("2097152", 2 << 20), ("4096KiB", 4 << 20), ("67108864B", 64 << 20),
    ])
    func `sizes have units or are bytes`(text: String, bytes: Int) throws {
        let loaded = try load(
            "[spool]\nbytes = \"1TiB\"\n", set: ["spool.segment_bytes=\(text)", "spool.group_bytes=64KiB"])
        #expect(loaded.configuration.spool.segmentBytes == bytes)
    }

    @Test(arguments: [
        ("250ms", Duration.milliseconds(250)), ("10s", .seconds(10)), ("5m", .seconds(300)), ("24h", .seconds(86_400)),
        ("30d", .seconds(30 * 86_400)), ("0s", .zero),
    ])
    func `durations have units`(text: String, duration: Duration) throws {
        #expect(try load("", set: ["spool.retain=\(text)"]).configuration.spool.retain == duration)
        #expect(DurationText.parse("13mo") == .seconds(13 * 31 * 86_400))
        #expect(DurationText.parse(DurationText.format(duration)) == duration)
    }
}
