import MillracePostgres
import MillraceTestSupport
import Testing

extension EndToEnd {
    struct TestDatabaseURLTests {
        @Test func `tests run on the server of TEST_DATABASE_URL, in databases that are gone afterwards`() throws {
            let cluster = try TestCluster(isDurable: false)
            let superuser = try cluster.superuser()
            func count() throws -> Int? {
                try superuser.execute("SELECT count(*) FROM pg_database WHERE starts_with(datname, 'millrace_test_')")
                    .int(0, 0)
            }
            let scratch = try ScratchDirectory()
            let socket = cluster.cluster.socketDirectory
            let log = scratch.path + "/log"
            let process = try SpawnedProcess(
                CommandLine.arguments[0], ["--testing-library", "swift-testing", "--filter", "MigratorTests"],
                environment: [
                    "TEST_DATABASE_URL": "postgresql+asyncpg:///postgres?host=\(socket)&user=postgres&schema=app"
                ],
                mark: scratch.path, output: log, errors: log)
            #expect(try eventually { try count() ?? 0 > 2 }, "\(TextFile.read(log))")
            #expect(try process.waitForExit(within: .seconds(300)) == .status(0), "\(TextFile.read(log))")
            #expect(TextFile.read(log).contains("MigratorTests passed"))
            #expect(try eventually { try count() == 0 })
        }
    }
}
