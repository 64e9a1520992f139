import MillraceTestSupport
import Testing

extension EndToEnd {
    struct CheckTests {
        @Test func `check finds a good set-up good, and says what is in force`() throws {
            // A server without fsync is none for `check`.
            let installation = try Installation(cluster: TestCluster(isDurable: true))
            #expect(try installation.daemon.run("partitions", "ensure").isSuccess)
            let run = try installation.daemon.run("check")
            #expect(run.isSuccess, "\(run.output)\(run.errors)")
            #expect(run.output.contains("\(installation.daemon.tcp)"))
            #expect(run.output.contains(installation.daemon.configuration))
        }

        @Test func `check says what is broken and the mend`() throws {
            let daemon = try DaemonProcess(databaseURL: "host=127.0.0.1 port=1 user=nobody dbname=nothing")
            let run = try daemon.run("check")
            #expect(run.exit == .status(1))
            #expect((run.output + run.errors).contains("database.url"), "\(run.output)\(run.errors)")

            let blank = try TestCluster.shared.database("unmigrated", isMigrated: false)
            let pending = try DaemonProcess(databaseURL: blank.connectionString).run("check")
            #expect((pending.output + pending.errors).contains("migrate up"), "\(pending.output)\(pending.errors)")
        }

        @Test(
            arguments: [
                ("tcp.lisen", "[]", "listen"), ("spool.byte", "\"1GiB\"", "bytes"), ("datbase.url", "\"\"", "database"),
                ("database.writers", "\"two\"", "writers"), ("database.writers", "65", "64"),
                ("spool.retain", "\"fortnight\"", "retain"),
            ])
        func `a mistake in config.toml names file, line, key and what is wanted`(
            key: String, value: String, wanted: String
        ) throws {
            let daemon = try DaemonProcess(databaseURL: "dbname=nothing", settings: [key: value])
            let lines = TextFile.read(daemon.configuration).split(separator: "\n", omittingEmptySubsequences: false)
            let name = String(key.split(separator: ".").last ?? "")
            let section = String(key.split(separator: ".").first ?? "")
            for command in ["check", "serve"] {
                let run = try daemon.run([command], within: .seconds(20))
                let text = run.output + run.errors
                #expect(!run.isSuccess)
                let isNamed = lines.indices.contains { index in
                    (lines[index].hasPrefix(name + " ") || lines[index] == "[\(section)]")
                        && text.contains("\(daemon.configuration):\(index + 1)")
                }
                #expect(isNamed, "\(text)")
                #expect(text.contains(wanted), "\(text)")
            }
        }
    }
}
