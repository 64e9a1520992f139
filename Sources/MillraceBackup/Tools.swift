import MillracePostgres

/// PostgreSQL's client programs, and what they say.
enum Tools {
    /// `major`: of the server, which must not be newer than they are.
    static func find(major: Int) throws(BackupError) -> PostgresPrograms {
        do {
            return try PostgresPrograms.find(major: major)
        } catch {
            switch error {
            case .none(let places):
                throw BackupError(
                    .toolsMissing, "pg_dump and pg_restore are not on this machine (looked in \(places))",
                    hint: "Install them: apt-get install postgresql-client-\(major)")
            case .tooOld(let newest):
                throw BackupError(
                    .toolsTooOld, "pg_dump and pg_restore are of PostgreSQL \(newest), and \(major) is wanted",
                    hint:
                        "Install those beside: apt-get install postgresql-client-\(major) (apt.postgresql.org has each)"
                )
            }
        }
    }

    static func failure(
        of program: String, _ output: ToolProcess.Output, _ code: BackupError.Code
    ) -> BackupError {
        let text = output.lines.joined(separator: "\n")
        if text.contains("No space left on device") || text.contains("Disk quota exceeded") {
            guard code == .dumpFailed else {
                return BackupError(
                    .noSpace, "\(program) failed, as the server's disk is full: \(output.reason)",
                    hint:
                        "Make room there, make the database empty again (DROP DATABASE, CREATE DATABASE), and restore again."
                )
            }
            return BackupError(
                .noSpace, "\(program) found the disk full", hint: "Make room, or set backup.directory to a larger disk."
            )
        }
        let isAboutRights = text.contains("permission denied for") || text.contains("row-level security policy")
        return BackupError(
            code, "\(program) failed: \(output.reason)",
            hint: isAboutRights
                ? "Set backup.url to a login that may read every table: millrace_migrator of sql/roles.sql, or a superuser."
                : "The server's log may say more.")
    }
}

extension String {
    /// Of `pg_dump: finished item 4021 TABLE DATA analytics_events_y2026m11`, which both programs say of each entry of the
    /// dump; nil for other lines and other kinds.
    func finishedItem(of kind: String? = nil) -> (id: Int, name: String)? {
        guard let mark = firstRange(of: "finished item ") else { return nil }
        let words = self[mark.upperBound...].split(separator: " ")
        guard words.count > 1, let id = Int(words[0]) else { return nil }
        let rest = words.dropFirst().joined(separator: " ")
        guard let kind else { return (id, rest) }
        return rest.hasPrefix(kind + " ") ? (id, String(rest.dropFirst(kind.count + 1))) : nil
    }
}
