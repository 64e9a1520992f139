internal import MillraceBackup
internal import MillraceConsole
internal import MillracePostgres
internal import MillraceProjections

/// Queues the erasure of users who were erased after the backup was made, as far as newer backups know of them. Blocks.
struct ErasedAgain {
    let store: BackupStore
    let packs: [PackDefinition]

    /// Throws `PostgresError`, `BackupError`, `PackErrors`.
    func run(_ manifest: BackupManifest, on connection: PostgresConnection, _ report: inout RestoreReport) throws {
        let added = try ErasureList.add(from: store, asOf: manifest, on: connection)
        // Rows of users who were erased before may have come back too, by the spool's segments.
        let queued = try ErasureReplay(connection: connection, packs: packs, paths: []).queueAgain()
        guard added + queued > 0 else { return }
        report.erasures = queued
        report.notes.append(
            "\(Format.count(queued)) users who were erased since are queued to be erased again: the daemon does it once it runs; "
                + "see `millrace users list`")
    }
}
