package import MillraceEvent
package import MillracePostgres

/// What daemons' spools have to do for erasures. Only a daemon changes its spool, and every one that `public.daemons` knows is
/// asked.
extension ErasureQueue {
    /// Asks every daemon, once for each erasure.
    func ask(for erasures: [Erasure]) throws(PostgresError) {
        try connection.query(
            """
            INSERT INTO public.erasure_spools (erasure_id, spool_id)
            SELECT own.id, daemon.spool_id
            FROM public.erasures AS own
            CROSS JOIN public.daemons AS daemon
            WHERE own.id = ANY ($1::uuid[]) AND own.tables_at IS NULL
            ON CONFLICT DO NOTHING
            """, parameters: [.array(erasures.map(\.id))])
    }

    /// How many daemons that are there have not said yet that what they held is in the tables.
    func unsettledCount(of erasures: [Erasure]) throws(PostgresError) -> Int {
        let asked = try connection.query(
            "SELECT DISTINCT spool_id FROM public.erasure_spools WHERE state = 'asked' AND erasure_id = ANY ($1::uuid[])",
            parameters: [.array(erasures.map(\.id))])
        guard asked.rowCount > 0 else { return 0 }
        let here = try spoolsHere()
        return asked.texts.count { here.contains($0[0]) }
    }

    /// Whether no daemon is there.
    func isNobodyHere() throws(PostgresError) -> Bool { try spoolsHere().isEmpty }

    private func spoolsHere() throws(PostgresError) -> Set<String> {
        Set(try DaemonTable(connection: connection).all().filter { $0.awaySince == nil }.map { "\($0.row.spoolID)" })
    }

    /// Which spools of these are settled: the erasure's id and the spool's.
    func settled(of erasures: [Erasure]) throws(PostgresError) -> [String] {
        try connection.query(
            """
            SELECT erasure_id::text || ' ' || spool_id::text
            FROM public.erasure_spools
            WHERE state = 'settled' AND erasure_id = ANY ($1::uuid[])
            """, parameters: [.array(erasures.map(\.id))]
        ).texts.map { $0[0] }
    }

    /// Erasures that ask the spool whether what it held is in the tables, and where it ended when it saw that first.
    package func asking(_ spool: UniqueID) throws(PostgresError) -> [(erasure: String, end: UInt64?)] {
        let rows = try connection.query(
            "SELECT erasure_id::text, position FROM public.erasure_spools WHERE spool_id = $1::uuid AND state = 'asked'",
            parameters: [.text("\(spool)")])
        return (0..<rows.rowCount).map { (rows.string($0, 0) ?? "", rows.int($0, 1).map { UInt64($0) }) }
    }

    /// Notes where the spool ended when it saw first that these ask. What comes behind is the sender's new word.
    package func spoolEnds(_ erasures: [String], spool: UniqueID, at end: UInt64) throws(PostgresError) {
        try connection.query(
            """
            UPDATE public.erasure_spools
            SET position = $3::bigint
            WHERE erasure_id = ANY ($1::uuid[]) AND spool_id = $2::uuid AND position IS NULL
            """, parameters: [.array(erasures), .text("\(spool)"), .integer(end)])
    }

    /// All that the spool held is in the tables. Months that a pass under way has gone through are gone through again.
    package func spoolSettled(_ erasures: [String], spool: UniqueID) throws(PostgresError) {
        try connection.transaction { () throws(PostgresError) in
            try connection.query(
                """
                UPDATE public.erasure_spools
                SET state = 'settled'
                WHERE erasure_id = ANY ($1::uuid[]) AND spool_id = $2::uuid AND state = 'asked'
                """, parameters: [.array(erasures), .text("\(spool)")])
            try connection.query(
                "UPDATE public.erasures SET leaves_done = '{}' WHERE id = ANY ($1::uuid[])",
                parameters: [.array(erasures)])
        }
    }

    /// Erasures for which the tables are done and the spool's files are not, and where the spool ended when they asked; nil:
    /// that was not noted.
    package func rewriting(_ spool: UniqueID) throws(PostgresError) -> [(erasure: Erasure, end: UInt64?)] {
        let rows = try connection.query(
            "SELECT erasure_id::text, position FROM public.erasure_spools WHERE spool_id = $1::uuid AND state = 'tables'",
            parameters: [.text("\(spool)")])
        guard rows.rowCount > 0 else { return [] }
        let ends = Dictionary(
            (0..<rows.rowCount).map { (rows.string($0, 0) ?? "", rows.int($0, 1).map { UInt64($0) }) }
        ) { first, _ in first }
        let wanted = ErasureStatements.quoted(PostgresParameter.literal(of: ends.keys.sorted()))
        return try erasures("state = 'spools' AND id = ANY (\(wanted)::uuid[])", isForTables: false)
            .map { ($0, ends[$0.id] ?? nil) }
    }

    /// The spool's files hold nothing of them any more.
    package func spoolDone(_ erasures: [String], spool: UniqueID, lines: Int) throws(PostgresError) {
        try connection.query(
            """
            UPDATE public.erasure_spools
            SET state = 'done', lines = $3::bigint, done_at = now()
            WHERE erasure_id = ANY ($1::uuid[]) AND spool_id = $2::uuid
            """, parameters: [.array(erasures), .text("\(spool)"), .integer(lines)])
    }

    /// Nobody waits for a spool that is gone for good. Returns how many erasures did.
    package func forget(spool: UniqueID) throws(PostgresError) -> Int {
        try connection.query(
            "UPDATE public.erasure_spools SET state = 'done', done_at = now() WHERE spool_id = $1::uuid AND state <> 'done'",
            parameters: [.text("\(spool)")]
        ).affectedRows
    }

    /// The keys of rows that go with users of these erasures, and of others of their tenants.
    package func keys(of erasures: [Erasure]) throws(PostgresError) -> [String: [Int32: Set<String>]] {
        try OwnedKeys.kept(of: erasures, on: connection)
    }
}
