import MillraceTestSupport
import Testing

@testable import MillracePostgres

@Suite(.onOwnThreads) struct ServerTuningTests {
    private static func value(_ name: String, _ memory: Int, _ cores: Int) -> String? {
        ServerTuning(memoryBytes: memory << 20, cores: cores, connections: 20).settings.first { $0.name == name }?.value
    }

    @Test(arguments: [
        ("shared_buffers", 16_384, 8, "4096MB"), ("shared_buffers", 256, 1, "64MB"),
        ("shared_buffers", 1_048_576, 64, "16384MB"), ("effective_cache_size", 16_384, 8, "11468MB"),
        ("work_mem", 16_384, 8, "34MB"), ("work_mem", 512, 1, "4MB"), ("max_parallel_workers", 16_384, 8, "8"),
        ("max_parallel_workers_per_gather", 512, 1, "0"), ("max_parallel_maintenance_workers", 512, 1, "1"),
        ("max_wal_size", 512, 1, "4096MB"), ("max_wal_size", 131_072, 16, "32768MB"), ("max_connections", 512, 1, "60"),
    ]) func `settings go by memory and cores`(name: String, memory: Int, cores: Int, value: String) {
        #expect(Self.value(name, memory, cores) == value)
    }

    @Test(arguments: [(512, 1), (8192, 4), (262_144, 64)])
    func `PostgreSQL takes every line`(memory: Int, cores: Int) throws {
        let admin = try TestCluster.own.superuser()
        for setting in ServerTuning(memoryBytes: memory << 20, cores: cores, connections: 20).settings {
            // Checked as it is written down; no one reloads it.
            #expect(throws: Never.self, "\(setting.line)") {
                try admin.execute("ALTER SYSTEM SET \(setting.line)")
                try admin.execute("ALTER SYSTEM RESET \(setting.name)")
            }
        }
    }

    @Test func `the embedded cluster's postgresql.conf has the lines of half this machine`() throws {
        let text = EmbeddedClusterSettings().text(log: "/tmp/log", hasStatements: true)
        #expect(text.contains("jit = 'off'\n") && text.contains("maintenance_work_mem = '"))
        #expect(text.contains("shared_preload_libraries = 'pg_stat_statements'\n"))
        #expect(!text.contains("\nshared_buffers") && text.contains("\nmax_connections = 60\n"))
        #expect(!EmbeddedClusterSettings().text(log: "/tmp/log", hasStatements: false).contains("pg_stat_statements"))
    }
}
