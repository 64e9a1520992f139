import Glibc
import MillraceConfiguration
import MillraceEvent
import MillracePostgres
import MillraceTestSupport
import Testing

@testable import MillraceCommands
@testable import MillraceConsole

@Suite(.onOwnThreads) struct StatusTests {
    @Test func `the database's part names schema, ledger, months and open letters`() throws {
        let fixture = try LedgerFixture()
        try fixture.addBatch(7, first: 1, events: 60, dead: 1, refused: 2)
        let database = try StatusQuery(connection: fixture.connection).database(at: LedgerFixture.receivedAt)
        #expect(database.migrationsPending == 0)
        #expect(database.lastCommitAt != nil)
        #expect(database.rowsPerSecond == 1)
        #expect(database.tables.map(\.monthsAhead) == [0, 0])
        #expect(database.openDeadLetters.map(\.code) == ["invalid_json", "database"])
    }

    @Test func `a database without the schema is told from one with it`() throws {
        let connection = try TestCluster.shared.database(isMigrated: false).connect()
        let database = try StatusQuery(connection: connection).database(at: .now)
        #expect(database.migrationsPending > 0)
        #expect(database.tables.isEmpty)
    }

    @Test func `the embedded database under the data directory is found, and said to be down when it is`() throws {
        let cluster = try TestCluster.own.cluster
        let running = try context(["data.directory": cluster.directory])
        #expect(try running.connectionString() == cluster.connectionString)
        let configured = try context(["data.directory": cluster.directory, "database.url": "host=elsewhere"])
        #expect(try configured.connectionString() == "host=elsewhere")
        let scratch = try ScratchDirectory()
        try #require(mkdir(scratch.path + "/postgres", 0o755) == 0)
        let stopped = try context(["data.directory": scratch.path])
        let error = #expect(throws: CommandError.self) { try stopped.connectionString() }
        #expect(error?.hint.contains("serve --embedded") == true)
    }

    @Test func `the memory that clients take is shown beside its budget`() {
        let memory = StatusReport.Memory(
            metrics: """
                # TYPE millrace_memory_budget_bytes gauge
                millrace_memory_budget_bytes 268435456
                millrace_memory_used_bytes 3145728
                """)
        #expect(memory == StatusReport.Memory(usedBytes: 3 << 20, budgetBytes: 256 << 20))
        #expect(StatusReport.Memory(metrics: "millrace_memory_budget_bytes 268435456") == nil)
        let daemon = StatusReport.Daemon(isRunning: true, isReady: true, address: "127.0.0.1:8080", memory: memory)
        let report = StatusReport(daemon: daemon, spool: nil, database: nil, problems: [])
        #expect(report.text.contains("\nmemory    3.0 MiB of memory.budget 256 MiB"), "\(report.text)")
    }

    private func context(_ values: [String: String]) throws -> CommandContext {
        CommandContext(
            try ConfigurationLoader.load(
                file: nil, environment: [:],
                overrides: values.map { .init(key: $0.key, value: $0.value, flag: "--set") }))
    }

    @Test func `an HTTP answer is its status and its body`() {
        let answer = HTTPProbe.parse(Array("HTTP/1.1 503 Service Unavailable\r\nA: b\r\n\r\n{\"a\":1}".utf8))
        #expect(answer == HTTPProbe.Answer(status: 503, body: "{\"a\":1}"))
        #expect(HTTPProbe.parse(Array("SSH-2.0\r\n".utf8)) == nil)
    }
}
