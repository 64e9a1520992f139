internal import MillraceBackup
internal import MillraceConsole
internal import MillracePostgres
internal import MillraceProjections

/// Users who were erased after the backup was made, as newer backups and the daemons' journals know, are to be erased again.
/// Blocks.
struct ErasedAgain {
    let store: BackupStore
    let spoolDirectory: String
    let packs: [PackDefinition]

    /// Adds what the database does not know; returns their ids. A journal that can't be read is noted. Throws `PostgresError`,
    /// `BackupError`, `FileSystemError`.
    func add(
        _ manifest: BackupManifest, on connection: PostgresConnection, _ report: inout RestoreReport
    ) throws -> [String] {
        let rows = ErasureRows(on: connection)
        guard try rows.areThere else { return [] }
        let journals =
            try [ErasureJournal(besideSpool: spoolDirectory)] + ErasureJournal.all(besideBackups: store.directory)
        var written: [String] = []
        for journal in journals {
            do {
                written += try journal.lines()
            } catch {
                report.notes.append(
                    "users erased since may be back, as \(journal.path) can't be read: \(error); read it as its owner, or as root"
                )
            }
        }
        return try rows.add(store.erasures(after: manifest) + rows.compare(written).lacking)
    }

    /// Queues those of `added` whose users are in the tables. Throws `PostgresError`, `PackErrors`.
    func queue(_ added: [String], on connection: PostgresConnection, _ report: inout RestoreReport) throws {
        let queued = try ErasureReplay(connection: connection, packs: packs, paths: []).queueAgain(added)
        guard queued > 0 else { return }
        report.erasures = queued
        report.notes.append(
            "\(Format.count(queued)) users who were erased since are queued to be erased again: the daemon does it once it runs; "
                + "see `millrace users list`")
    }
}
