package import MillraceEvent
package import MillracePostgres

/// Where an event is parked, and why.
package struct Parking: Sendable, Equatable {
    package var pack: String
    package var fold: String
    /// As in `ParkedEvent`.
    package var code: String
    /// The constraint or unique index that refused the row.
    package var constraint: String?
    package var sqlState: String?
    package var message: String

    init(pack: String, fold: String, code: String, _ error: PostgresError) {
        self.pack = pack
        self.fold = fold
        self.code = code
        constraint = error.constraint
        sqlState = error.sqlState?.rawValue
        message = error.message
    }

    private init?(_ rows: borrowing PostgresResult, _ row: Int) {
        guard let pack = rows.string(row, 1), let fold = rows.string(row, 2), let code = rows.string(row, 3) else {
            return nil
        }
        self.pack = pack
        self.fold = fold
        self.code = code
        constraint = rows.string(row, 4)
        sqlState = rows.string(row, 5)
        message = rows.string(row, 6) ?? ""
    }
}

extension Parking {
    /// An event as it is looked up.
    package struct Event {
        package var id: UniqueID
        package var tenant: Int32
        /// In microseconds since 2000; nil where `event_ids` tells.
        package var createdAt: Int64?

        package init(id: UniqueID, tenant: Int32, createdAt: Int64?) {
            self.id = id
            self.tenant = tenant
            self.createdAt = createdAt
        }
    }

    /// Where `events` are parked in `versions`: once a fold, each with the event's place among them, ascending. Blocks.
    package static func find(
        _ events: [Event], in versions: [Int32], on connection: PostgresConnection
    ) throws(PostgresError) -> [(place: Int, parking: Parking)] {
        guard !events.isEmpty, !versions.isEmpty else { return [] }
        var ids = BinaryArray(.uuid)
        var times = BinaryArray(.timestamptz)
        var states = BinaryArray(.timestamptz)
        var (folded, tenants) = (BinaryArray(.int4), BinaryArray(.int4))
        for event in events {
            tenants.append(integer: event.tenant)
            event.id.bytes.withUnsafeBytes { ids.append($0) }
            if let createdAt = event.createdAt { times.append(integer: createdAt) } else { times.append(nil) }
            // An event that waits is parked at the time of its state.
            if let dated = DatedIdentity.microseconds(high: event.id.high, low: event.id.low) {
                states.append(integer: min(dated, event.createdAt ?? dated))
            } else {
                states.append(nil)
            }
        }
        for version in versions { folded.append(integer: version) }
        let rows = try connection.query(
            """
            WITH known AS MATERIALIZED (
                SELECT id, tenant_id, created_at
                FROM public.event_ids
                WHERE id = ANY ($1::uuid[])
            )
            SELECT DISTINCT ON (event.place, parked.pack, parked.fold)
                event.place, parked.pack, parked.fold, parked.code, parked.constraint_name, parked.sqlstate, parked.message
            FROM unnest($1::uuid[], $2::timestamptz[], $4::timestamptz[], $5::int4[])
                WITH ORDINALITY AS event (id, at, state_at, tenant_id, place)
            LEFT JOIN known
                ON event.at IS NULL AND known.id = event.id AND known.tenant_id = event.tenant_id
            JOIN projections.parked AS parked
                ON parked.event_id = event.id
                AND parked.tenant_id = event.tenant_id
                AND parked.event_at IN (coalesce(event.at, known.created_at), event.state_at)
            WHERE parked.version_id = ANY ($3::int4[])
            ORDER BY event.place, parked.pack, parked.fold
            """,
            parameters: [ids, times, folded, states, tenants].map(\.parameter))
        return (0..<rows.rowCount).compactMap { row in
            guard let place = rows.int(row, 0), let parking = Parking(rows, row) else { return nil }
            return (place - 1, parking)
        }
    }
}
