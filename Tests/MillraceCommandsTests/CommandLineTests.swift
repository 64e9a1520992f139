import MillraceConfiguration
import MillracePostgres
import MillraceTestSupport
import Testing

@testable import MillraceCommands
@testable import MillraceConsole

/// Commands as they are typed, with their exit status.
@Suite(.onOwnThreads) struct CommandLineTests {
    private func run(_ arguments: [String], on database: TestDatabase) async -> Int32 {
        await CommandLineTool.run(arguments + ["--set", "database.url=\(database.connectionString)"])
    }

    private func failedChecks(_ database: TestDatabase) throws -> [String] {
        let loaded = try ConfigurationLoader.load(
            file: nil, environment: [:],
            overrides: [.init(key: "database.url", value: database.connectionString, flag: "--set")])
        return DatabaseChecks(context: CommandContext(loaded)).run().filter { !$0.ok }.map(\.name)
    }

    @Test(arguments: [
        ["--help"], ["send", "--help"], ["verify", "--help"], ["migrate", "up", "--help"], ["check", "--help"],
        ["status", "--help"], ["partitions", "ensure", "--help"], ["dead-letters", "retry", "--help"],
    ])
    func `help is no failure and has an example`(arguments: [String]) async {
        #expect(await CommandLineTool.run(arguments) == 0)
    }

    @Test(arguments: [
        ["send", "--ack", "never"], ["nonsense"], ["migrate", "down", "--steps", "0"], ["dead-letters", "retry"],
        ["verify", "--set", "no-equals-sign"], ["dead-letters", "purge", "--older-than", "soon"],
        ["dead-letters", "retry", "--id", "x", "--all"],
    ])
    func `wrong use is status 2`(arguments: [String]) async {
        #expect(await CommandLineTool.run(arguments) == 2)
    }

    @Test func `a configuration that is wrong is used wrongly: status 2`() async {
        #expect(await CommandLineTool.run(["status", "--set", "tcp.listn=1"]) == 2)
    }

    @Test func `a schema goes up, down and back, and reset wants to be meant`() async throws {
        let database = try TestCluster.shared.database(isMigrated: false)
        #expect(await run(["migrate", "status"], on: database) == 1)
        #expect(await run(["migrate", "up", "--to", "2"], on: database) == 0)
        #expect(await run(["migrate", "up", "--json"], on: database) == 0)
        #expect(await run(["migrate", "status", "--json"], on: database) == 0)
        #expect(await run(["migrate", "down", "--steps", "3"], on: database) == 0)
        #expect(await run(["migrate", "status"], on: database) == 1)
        #expect(await run(["migrate", "up"], on: database) == 0)
        // Not this machine's own spool.
        let place = ["--data-directory", try ScratchDirectory().path]
        #expect(await run(["migrate", "reset"] + place, on: database) == 1)
        #expect(await run(["migrate", "reset", "--yes"] + place, on: database) == 0)
        #expect(await run(["migrate", "history"], on: database) == 0)
    }

    @Test func `months are made and listed`() async throws {
        let database = try TestCluster.shared.database()
        #expect(await run(["partitions", "ensure", "--months", "2"], on: database) == 0)
        let count = try database.connect().execute(
            "SELECT count(*) FROM pg_inherits WHERE inhparent = 'public.analytics_events'::regclass"
        ).count(0, 0)
        #expect(count == 3)
        #expect(await run(["partitions", "list", "--json"], on: database) == 0)
    }

    @Test func `an empty database is in order`() async throws {
        let database = try TestCluster.shared.database(hasPacks: true)
        let directory = try ScratchDirectory()
        let place = ["--data-directory", directory.path]
        #expect(await run(["verify", "--quiet"] + place, on: database) == 0)
        #expect(await run(["dead-letters", "list"] + place, on: database) == 0)
        #expect(await run(["dead-letters", "retry", "--all", "--quiet"] + place, on: database) == 0)
        #expect(try failedChecks(database) == ["durability", "partitions"])
        #expect(await run(["partitions", "ensure"] + place, on: database) == 0)
        // The tests' server has fsync off.
        #expect(try failedChecks(database) == ["durability"])
        #expect(await run(["check", "--json"] + place, on: database) == 1)
    }

    @Test(arguments: [("90s", 90), ("30m", 1800), ("12h", 43200), ("90d", 7_776_000)])
    func `an age has its unit`(text: String, seconds: Int) {
        #expect(Age(argument: text)?.seconds == seconds)
    }

    @Test(arguments: ["", "5", "d", "-1d", "1w", "99999999999999999d"]) func `no age is no age`(text: String) {
        #expect(Age(argument: text) == nil)
    }
}
