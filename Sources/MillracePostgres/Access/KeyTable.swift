package import MillraceAccess

/// The statements on `public.access_keys`, over one session. Blocks.
package struct KeyTable {
    /// The keys in force as a daemon takes them.
    package struct InForce: Sendable {
        /// The oldest first.
        package var records: [KeyRecord]
        /// True once any was ever made in this database.
        package var areAnyKnown: Bool
        /// There are more of them than were asked for.
        package var isCut: Bool
    }

    /// By the server's clock.
    private static let isInForce = """
        (revoked_at IS NULL OR revoked_at > clock_timestamp()) AND (expires_at IS NULL OR expires_at > clock_timestamp())
        """

    package let connection: PostgresConnection

    package init(connection: PostgresConnection) {
        self.connection = connection
    }

    /// Drawn anew by each change of the keys, so that it tells whether they must be read again; nil without the tables.
    package func state() throws(PostgresError) -> String? {
        guard try connection.hasRelation("public.access_keys_state") else { return nil }
        return try connection.execute("SELECT state FROM public.access_keys_state").string(0, 0)
    }

    /// At most `count` that are in force, by the server's clock.
    package func inForce(_ count: Int) throws(PostgresError) -> InForce {
        let result = try connection.query(
            """
            SELECT \(StoredKey.columns)
            FROM public.access_keys
            WHERE \(Self.isInForce)
            ORDER BY created_at, id
            LIMIT $1
            """, parameters: [.integer(count + 1)])
        let records = (0..<result.rowCount).compactMap { StoredKey(result, $0)?.record }
        return InForce(
            records: Array(records.prefix(count)), areAnyKnown: try areAnyKnown(), isCut: result.rowCount > count)
    }

    /// Whether any was ever made.
    package func areAnyKnown() throws(PostgresError) -> Bool {
        try connection.execute("SELECT EXISTS (SELECT FROM public.access_keys)").bool(0, 0) ?? false
    }

    /// How many are in force, by the server's clock.
    package func countInForce() throws(PostgresError) -> Int {
        try connection.execute(
            """
            SELECT count(*)
            FROM public.access_keys
            WHERE \(Self.isInForce)
            """
        ).count(0, 0)
    }

    /// All that were ever made, the oldest first; only those of `tenant` where it is given.
    package func all(of tenant: Int32? = nil) throws(PostgresError) -> [StoredKey] {
        let result = try connection.query(
            """
            SELECT \(StoredKey.columns)
            FROM public.access_keys
            WHERE $1::integer IS NULL OR tenant_id = $1::integer
            ORDER BY created_at, id
            """, parameters: [tenant.map { .integer($0) }])
        return (0..<result.rowCount).compactMap { StoredKey(result, $0) }
    }

    /// Waits for whoever changes this key, in a transaction; nil when there is none of this id.
    package func lock(_ id: String) throws(PostgresError) -> StoredKey? {
        let result = try connection.query(
            "SELECT \(StoredKey.columns) FROM public.access_keys WHERE id = $1 FOR UPDATE", parameters: [.text(id)])
        return result.rowCount == 1 ? StoredKey(result, 0) : nil
    }

    /// Keeps a new one. Throws a `PostgresError` of a foreign key's violation when there is no such tenant.
    package func insert(_ record: KeyRecord, replaces: String? = nil) throws(PostgresError) {
        try connection.query(
            """
            INSERT INTO public.access_keys (
                id, name, tenant_id, scopes, secret_hash, event_types, events_per_second, events_burst,
                bytes_per_second, bytes_burst, expires_at, origins, client_subject, replaces
            )
            VALUES (
                $1, $2, $3, $4, $5, $6, $7, $8, $9, $10,
                timestamptz 'epoch' + $11::bigint * interval '1 microsecond', $12, $13, $14
            )
            """,
            parameters: [
                .text(record.id), .text(record.name), .integer(record.tenant),
                .array(record.scopes.map(\.rawValue).sorted()), .binary(record.secretHash),
                .array(record.eventTypes), record.events.perSecond.map { .integer($0) },
                record.events.burst.map { .integer($0) }, record.bytes.perSecond.map { .integer($0) },
                record.bytes.burst.map { .integer($0) }, record.expiresAt.map { .integer($0) },
                .array(record.origins), record.clientSubject.map { .text($0) }, replaces.map { .text($0) },
            ])
    }

    /// Lets a key open nothing from now on, or from `overlap` on; an earlier end stays.
    package func revoke(_ id: String, after overlap: Duration = .zero) throws(PostgresError) {
        try connection.query(
            """
            UPDATE public.access_keys
            SET revoked_at = LEAST(revoked_at, clock_timestamp() + $2::bigint * interval '1 second')
            WHERE id = $1
            """, parameters: [.text(id), .integer(overlap.components.seconds)])
    }
}
