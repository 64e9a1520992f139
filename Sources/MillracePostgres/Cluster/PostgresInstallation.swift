internal import Glibc

/// PostgreSQL's programs on this machine.
package struct PostgresInstallation: Sendable {
    /// Oldest major version that Millrace's SQL runs on.
    package static let majorMin = 15

    /// The directory that holds `initdb`, `pg_ctl` and `postgres`.
    package let binaries: String
    package let major: Int

    /// The one with the data's major version, or the newest when there is no data yet. Blocks for moments.
    package static func find(major wanted: Int?) throws(EmbeddedClusterError) -> PostgresInstallation {
        let found = PostgresPrograms.directories().compactMap(PostgresInstallation.init(binaries:)).sorted {
            $0.major > $1.major
        }
        if let wanted {
            if let match = found.first(where: { $0.major == wanted }) { return match }
            let names = found.map { String($0.major) }.joined(separator: ", ")
            throw EmbeddedClusterError(
                code: .versionMismatch,
                message: "the data is of PostgreSQL \(wanted), installed is \(names.isEmpty ? "none" : names)",
                hint: "Install it (apt-get install postgresql-\(wanted)), or move the data with pg_upgrade.")
        }
        guard let newest = found.first, newest.major >= majorMin else {
            throw EmbeddedClusterError(
                code: .binariesMissing,
                message: "no PostgreSQL \(majorMin) or newer in /usr/lib/postgresql/*/bin or on the PATH",
                hint: "Install it (apt-get install postgresql), or set database.url and run without --embedded.")
        }
        return newest
    }

    /// Whether the extension pg_stat_statements is installed: packages of some systems leave it out.
    package var hasStatements: Bool {
        let root = binaries.hasSuffix("/bin") ? String(binaries.dropLast("/bin".count)) : binaries
        return ["/lib/pg_stat_statements.so", "/lib/postgresql/pg_stat_statements.so"].contains {
            access(root + $0, R_OK) == 0
        }
    }

    private init?(binaries: String) {
        let programs = ["initdb", "pg_ctl", "postgres"].map { "\(binaries)/\($0)" }
        guard programs.allSatisfy({ access($0, X_OK) == 0 }) else { return nil }
        // "postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)"
        let version = ChildProcess.run(["\(binaries)/postgres", "--version"], timeout: .seconds(10)).text
        guard let match = version.firstMatch(of: #/\(PostgreSQL\) ([0-9]+)/#), let major = Int(match.output.1)
        else { return nil }
        self.binaries = binaries
        self.major = major
    }
}
