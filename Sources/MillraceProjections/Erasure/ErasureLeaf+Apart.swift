import MillracePostgres

/// The same statements where a month's rows are spread over workers of Citus by their id: rows are fetched before the ledger is
/// asked, which workers don't have, and a row whose id changes is another one in another place.
extension ErasureLeaf {
    /// `PartitionedTable.columns` of rows `stored`, and `ConversationStatuses.folded`. Nobody else changes rows meanwhile:
    /// there is one erasure at a time (`AdvisoryLock.erasure`).
    static func apart(_ table: PartitionedTable, in relation: String, where condition: String) -> String {
        let document = table == .conversations ? "metadata" : "payload"
        let columns = table.columns.map { $0 == document ? PrintedSize.guarded("stored.\($0)") : "stored.\($0)" }
        return """
            WITH stored AS MATERIALIZED (
                SELECT \(table.encodedColumns)
                FROM \(relation) AS stored
                WHERE \(condition)
            )
            SELECT \(columns.joined(separator: ", ")), \(ConversationStatuses.folded)
            FROM stored
            """
    }

    /// Deletes some saves of the users and answers them.
    func savesGoneApart(of tenant: Int32, in relation: String) -> String {
        let ids = ErasureStatements(scope: scope, tenant: tenant).ids
        return """
            WITH own AS MATERIALIZED (
                SELECT id
                FROM \(relation)
                WHERE tenant_id = \(tenant) AND user_id = ANY (\(ids))
                LIMIT \(Self.savesAtOnce)
            ), gone AS (
                DELETE FROM \(relation) AS stored
                WHERE stored.tenant_id = \(tenant) AND stored.user_id = ANY (\(ids))
                    AND stored.id IN (SELECT id FROM own)
                RETURNING \(PartitionedTable.conversations.columns.map { "stored.\($0)" }.joined(separator: ", ")), stored.status
            ), counted AS (
                INSERT INTO public.erased_rows AS e (batch_id, conversations)
                SELECT batch_id, count(*)
                FROM gone
                GROUP BY batch_id
                ON CONFLICT (batch_id) DO UPDATE
                SET conversations = e.conversations + EXCLUDED.conversations
                RETURNING batch_id
            )
            SELECT \(Self.savedColumns), \(ConversationStatuses.folded), status
            FROM gone AS stored
            """
    }

    private static let change = """
        WITH change AS MATERIALIZED (
            SELECT *
            FROM unnest($1::timestamptz[], $2::uuid[], $3::uuid[], $4::uuid[], $5::jsonb[], $6::text[])
                AS c (created_at, id, new_id, user_id, payload, event_type)
        )
        """

    /// Changes events and answers them as they are then: those that keep their id, and the others. Both take
    /// `ErasedEvents.parameters`.
    static func changesApart(of tenant: Int32, in relation: String) -> [String] {
        let table = PartitionedTable.analyticsEvents
        let columns = table.columns.map { "stored.\($0)" }.joined(separator: ", ")
        let isSame = "stored.created_at = change.created_at AND stored.id = change.id AND stored.tenant_id = \(tenant)"
        let values = table.columns.map { column in
            switch column {
            case "id": "change.new_id"
            case "user_id", "payload", "event_type": "change.\(column)"
            default: "gone.\(column)"
            }
        }
        return [
            """
            \(change), changed AS (
                UPDATE \(relation) AS stored
                SET user_id = change.user_id, payload = change.payload, event_type = change.event_type
                FROM change
                WHERE \(isSame) AND change.new_id = change.id
                RETURNING \(columns)
            )
            SELECT \(columns), \(ConversationStatuses.folded)
            FROM changed AS stored
            """,
            """
            \(change), gone AS (
                DELETE FROM \(relation) AS stored
                USING change
                WHERE \(isSame) AND change.new_id <> change.id
                RETURNING \(columns)
            ), moved AS (
                INSERT INTO \(relation) (\(table.encodedColumns))
                SELECT \(values.joined(separator: ", "))
                FROM gone
                JOIN change ON change.created_at = gone.created_at AND change.id = gone.id
                RETURNING \(table.encodedColumns)
            )
            SELECT \(columns), \(ConversationStatuses.folded)
            FROM moved AS stored
            """,
        ]
    }

    func renameInSavesApart(of tenant: Int32, in relation: String, _ page: String) throws -> Int {
        let statements = ErasureStatements(scope: scope, tenant: tenant)
        let texts = ["conversation_id", "question", "response", "source"]
        func renamed(_ column: String, of row: String) -> String {
            switch column {
            case "id": statements.renamed(uuid: "\(row).id")
            case "metadata": "\(statements.renamed("\(row).metadata::text"))::jsonb"
            case _ where texts.contains(column): statements.renamed("\(row).\(column)")
            default: "\(row).\(column)"
            }
        }
        let columns = PartitionedTable.conversations.columns + ["status"]
        let list = columns.joined(separator: ", ")
        let all = columns.map { "stored.\($0)" }.joined(separator: ", ")
        return try transaction { () throws(PostgresError) in
            var counts = ErasureCounts()
            counts.mentions = try connection.execute(
                """
                UPDATE \(relation) AS stored
                SET \((texts + ["metadata"]).map { "\($0) = \(renamed($0, of: "stored"))" }.joined(separator: ", "))
                WHERE \(page) AND \(statements.isNamedInSave) AND NOT stored.id = ANY (\(statements.ids))
                """, timeout: timeout
            ).affectedRows
            counts.mentions += try connection.execute(
                """
                WITH gone AS (
                    DELETE FROM \(relation) AS stored
                    WHERE \(page) AND stored.tenant_id = \(tenant) AND stored.id = ANY (\(statements.ids))
                    RETURNING \(all)
                ), moved AS (
                    INSERT INTO \(relation) (\(list))
                    SELECT \(columns.map { renamed($0, of: "gone") }.joined(separator: ", "))
                    FROM gone
                    RETURNING id
                )
                SELECT count(*)
                FROM moved
                """, timeout: timeout
            ).count(0, 0)
            try tally.add(counts, on: connection)
            return counts.mentions
        }
    }
}
