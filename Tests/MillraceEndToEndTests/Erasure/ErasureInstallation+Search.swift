import FoundationEssentials
import MillracePostgres
import MillraceTestSupport
import Testing

extension ErasureInstallation {
    /// Where a text stands: in rows of tables and PostgreSQL's statistics of them, in what pg_dump writes, and in files of the
    /// daemons' directories. Without regard to case.
    func places(of text: String, in others: [DaemonProcess] = []) throws -> [String] {
        let tables = try auditor.strings(
            """
            SELECT c.oid::regclass::text
            FROM pg_class AS c
            JOIN pg_namespace AS n ON n.oid = c.relnamespace
            WHERE c.relkind = 'r' AND (nspname = 'public' OR starts_with(nspname::text, 'projections'))
            """)
        var found = try tables.filter { table in
            try auditor.integer("SELECT count(*) FROM \(table) AS t WHERE strpos(lower(t::text), lower('\(text)')) > 0")
                > 0
        }
        found += try auditor.strings(
            """
            SELECT 'pg_stats of ' || tablename || '.' || attname
            FROM pg_stats
            WHERE strpos(
                lower(concat(most_common_vals::text, histogram_bounds::text, most_common_elems::text)), lower('\(text)')) > 0
            """)
        for directory in ([daemon] + others).map({ $0.directory + "/spool" }) {
            found += try Self.grep(text, directory)
        }
        if try inDump(text) { found.append("pg_dump") }
        return found
    }

    func expectNowhere(
        _ text: String, in others: [DaemonProcess] = [], sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let found = try places(of: text, in: others)
        #expect(found == [], "\(text): \(found)", sourceLocation: sourceLocation)
    }

    /// Files of the directory with the text.
    static func grep(_ text: String, _ directory: String) throws -> [String] {
        try shell("grep -ralFi -- '\(text)' '\(directory)'").split(separator: "\n").map(String.init)
    }

    private func inDump(_ text: String) throws -> Bool {
        let url = installation.database.connectionString.replacing("'", with: "'\\''")
        let count = try Self.shell(
            "pg_dump -d '\(url)' > dump.sql && wc -c < dump.sql; grep -aciF -- '\(text)' dump.sql"
        ).split(separator: "\n")
        guard count.count == 2, let bytes = Int(count[0]), bytes > 10_000, let lines = Int(count[1]) else {
            throw TestSupportError(message: "no dump: \(count)")
        }
        return lines > 0
    }

    /// Its standard output.
    static func shell(_ command: String) throws -> String {
        let scratch = try ScratchDirectory()
        let process = try SpawnedProcess(
            "/bin/sh", ["-c", "cd \(scratch.path); export PATH=$PATH:$(echo /usr/lib/postgresql/*/bin); \(command)"],
            mark: scratch.path, output: scratch.path + "/out", errors: scratch.path + "/err")
        _ = try process.waitForExit(within: .seconds(60))
        return TextFile.read(scratch.path + "/out")
    }
}
