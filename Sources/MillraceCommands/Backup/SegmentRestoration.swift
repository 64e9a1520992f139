internal import MillraceBackup
internal import MillraceConsole
internal import MillraceEvent
internal import MillracePostgres
internal import MillraceSpool

/// Puts back, from all whole backups, those segments of this host's spool that it has no more and that the database lacks
/// lines of. The daemon finds them at its next start, as any backlog. Blocks.
struct SegmentRestoration {
    let store: BackupStore
    let spoolDirectory: String

    struct Outcome {
        var returned: [UInt64] = []
        /// What a person has to do.
        var note: String?
    }

    private struct Copy {
        var segment: BackupManifest.Segment
        var folder: String
        /// When the backup was begun.
        var begunAt: String
    }

    /// `connection`: to the database that was restored.
    func run(on connection: PostgresConnection) throws -> Outcome {
        let copies = try copies()
        guard !copies.isEmpty else { return Outcome() }
        let inspector = SpoolInspector(directory: spoolDirectory)
        let own = try? inspector.identity()
        guard let spool = own.map({ "\($0)" }) ?? newest(copies) else { return Outcome() }
        let present = Set(((try? inspector.inspect(verifiesPayloads: false).segments) ?? []).map(\.number))
        let wanted = try (copies[spool] ?? [:]).values
            .filter { try !present.contains($0.segment.number) && !isSettled($0.segment, of: spool, on: connection) }
            .sorted { $0.segment.number < $1.segment.number }
        guard !wanted.isEmpty else { return Outcome() }
        do {
            let target = try SpoolReturn(directory: spoolDirectory)
            try expectErased(wanted.map(\.begunAt).min() ?? "", on: connection)
            for copy in wanted { try target.put(copy.segment.number, from: copy.folder) }
            return Outcome(returned: wanted.map(\.segment.number))
        } catch let error as SpoolError where error.code == .locked {
            let lines = wanted.reduce(0) { $0 + ($1.segment.end - $1.segment.first) }
            return Outcome(
                note:
                    "\(Format.count(Int(lines))) lines may be missing that are in segments of backups: stop the daemon, "
                    + "run `millrace restore --segments`, and start it again")
        }
    }

    /// Has the daemon look again, once these lines are in the tables, for users who were erased after the copies were made.
    private func expectErased(_ time: String, on connection: PostgresConnection) throws {
        let rows = ErasureRows(on: connection)
        guard try rows.areThere else { return }
        try ErasureJournal(besideSpool: spoolDirectory).addDue(try rows.done(after: time))
    }

    /// By spool and number the longest copy: one may have been made while the segment still grew.
    private func copies() throws -> [String: [UInt64: Copy]] {
        var copies: [String: [UInt64: Copy]] = [:]
        for name in try store.names() {
            // Another backup that is damaged is no reason not to restore this one.
            guard let manifest = try? store.manifest(of: name), let spool = manifest.spool else { continue }
            for segment in spool.segments where segment.first < segment.end {
                let known = copies[spool.spoolId]?[segment.number]?.segment
                guard known.map({ $0.end < segment.end }) ?? true else { continue }
                copies[spool.spoolId, default: [:]][segment.number] = Copy(
                    segment: segment, folder: "\(store.path(name))/\(BackupStore.spool)",
                    begunAt: manifest.begunAt)
            }
        }
        return copies
    }

    /// Where this host has no spool: the one that the latest backup is of.
    private func newest(_ copies: [String: [UInt64: Copy]]) -> String? {
        copies.max { left, right in
            (left.value.values.map(\.folder).max() ?? "") < (right.value.values.map(\.folder).max() ?? "")
        }?.key
    }

    private func isSettled(
        _ segment: BackupManifest.Segment, of spool: String, on connection: PostgresConnection
    ) throws(PostgresError) -> Bool {
        let rows = try connection.query(
            """
            SELECT first_seq, last_seq
            FROM public.ingest_batches
            WHERE spool_id = $1::uuid AND first_seq < $3::bigint AND last_seq >= $2::bigint
            ORDER BY first_seq
            """,
            parameters: [.text(spool), .integer(segment.first), .integer(segment.end)])
        let known = (0..<rows.rowCount).map { UInt64(rows.count($0, 0))..<UInt64(rows.count($0, 1)) + 1 }
        return SequenceSet(known).gaps(in: segment.first..<segment.end).isEmpty
    }
}
