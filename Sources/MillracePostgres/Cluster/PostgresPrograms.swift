internal import FoundationEssentials
internal import Glibc

/// PostgreSQL's client programs on this machine: `pg_dump`, `pg_restore`.
package struct PostgresPrograms: Sendable {
    /// The directory that holds them.
    package let directory: String
    package let major: Int

    package enum Missing: Error, Sendable, Equatable {
        /// Where they were looked for.
        case none(String)
        /// The newest major version that is here.
        case tooOld(Int)
    }

    package func path(_ program: String) -> String { "\(directory)/\(program)" }

    /// Of `major` or newer, the oldest such: a newer pg_dump writes what an older server may not take. Blocks for moments.
    package static func find(major wanted: Int) throws(Missing) -> PostgresPrograms {
        let found = directories().compactMap(PostgresPrograms.init(directory:))
        guard let newest = found.map(\.major).max() else {
            throw .none("/usr/lib/postgresql/*/bin and the PATH")
        }
        guard let best = found.filter({ $0.major >= wanted }).min(by: { $0.major < $1.major }) else {
            throw .tooOld(newest)
        }
        return best
    }

    private init?(directory: String) {
        let programs = ["pg_dump", "pg_restore"].map { "\(directory)/\($0)" }
        guard programs.allSatisfy({ access($0, X_OK) == 0 }) else { return nil }
        // "pg_dump (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)"
        let version = ChildProcess.run(["\(directory)/pg_dump", "--version"], timeout: .seconds(10)).text
        guard let match = version.firstMatch(of: #/\(PostgreSQL\) ([0-9]+)/#), let major = Int(match.output.1)
        else { return nil }
        self.directory = directory
        self.major = major
    }

    /// Debian's versions first, then the PATH, whose programs may be wrappers that choose among those.
    static func directories() -> [String] {
        let debian = "/usr/lib/postgresql"
        let versions = (try? FileManager.default.contentsOfDirectory(atPath: debian)) ?? []
        let path = getenv("PATH").map { String(cString: $0) } ?? ""
        return versions.map { "\(debian)/\($0)/bin" } + path.split(separator: ":").map { String($0) }
    }
}
