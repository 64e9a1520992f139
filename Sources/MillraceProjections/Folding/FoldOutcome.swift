package import MillraceEvent
package import MillracePostgres

/// What became of a batch in the versions it was folded into.
package struct FoldOutcome: Sendable {
    /// A version that the batch could not be folded into, for no fault of the rows: its tables are not what they were.
    package struct Failure: Sendable {
        package var versionID: Int32
        package var error: PostgresError
    }

    /// Ids of the versions that hold the batch now: for the ledger row's `folded`.
    package var folded: [Int32] = []
    /// Events whose row a table refused; they are in `projections.parked`.
    package var parkedCount = 0
    package var failures: [Failure] = []

    package init() {}
}

/// Rows whose document would have been too large to read.
package struct UnreadRows: Sendable, Equatable {
    private static let examplesMax = 10

    package private(set) var count = 0
    /// Ids of the first ones.
    package private(set) var examples: [UniqueID] = []

    package init() {}

    /// Counts one more row; its id is kept if there are fewer than ten.
    package mutating func append(_ id: UniqueID) {
        count += 1
        if examples.count < Self.examplesMax { examples.append(id) }
    }

    /// Adds the count of `others`, and of their ids as many as make ten.
    package mutating func append(_ others: UnreadRows) {
        count += others.count
        examples += others.examples.prefix(Self.examplesMax - examples.count)
    }
}

/// An event that a fold's table does not take: a row of `projections.parked`.
struct ParkedEvent {
    /// The longest key that is kept, in characters.
    static let keyLengthMax = 200
    /// Of events whose row is too large to read.
    static let unreadCode = "row_too_large"
    /// Of events that wait for a value which another entity has: they go in when it is free.
    static let waitingCode = "waiting"
    /// Of `projections.parked AS p`: those of a known entity that don't wait.
    static let isFinal = "p.code <> '\(waitingCode)' AND p.entity IS NOT NULL"

    var versionID: Int32
    var pack: String
    var fold: String
    var key: String
    /// `missing_key`, `relative_time`, `not_finite`, `long_numbers`, `row_too_large`, `database` when PostgreSQL refused the
    /// values, or `waiting`.
    var code: String
    var sqlState: String?
    /// The constraint or unique index that the database named.
    var constraint: String?
    var message: String
    /// In microseconds since 2000.
    var eventAt: Int64
    var eventID: UniqueID
    var tenant: Int32
    /// Which entity it is of, as text of a bytea; nil: none, or its key is refused too.
    var entity: String?

    /// Answers the numbers (from 0) of those folds of which events are parked that a newer row makes good.
    static func question(of folds: [(versionID: Int32, fold: String)]) -> String {
        let rows = folds.enumerated().map { "(\($0), \($1.versionID), '\($1.fold)')" }
        return """
            SELECT f.number
            FROM (VALUES \(rows.isEmpty ? "(0, 0, '')" : rows.joined(separator: ", "))) AS f (number, version_id, fold)
            WHERE EXISTS (
                SELECT FROM projections.parked AS p
                WHERE p.version_id = f.version_id AND p.fold = f.fold AND \(isFinal)
            )
            """
    }

    /// Blocks.
    static func write(
        _ events: [ParkedEvent], batchID: Int64, on connection: PostgresConnection
    ) throws(PostgresError) {
        guard !events.isEmpty else { return }
        var (versions, tenants) = (BinaryArray(.int4), BinaryArray(.int4))
        var times = BinaryArray(.timestamptz)
        var ids = BinaryArray(.uuid)
        var texts = (0..<8).map { _ in BinaryArray(.text) }
        for event in events {
            versions.append(integer: event.versionID)
            tenants.append(integer: event.tenant)
            times.append(integer: event.eventAt)
            event.eventID.bytes.withUnsafeBytes { ids.append($0) }
            let values = [
                event.pack, event.fold, event.key, event.code, event.sqlState, event.constraint, event.message,
                event.entity,
            ]
            for (index, text) in values.enumerated() { texts[index].append(text) }
        }
        try connection.query(
            """
            INSERT INTO projections.parked (
                version_id, tenant_id, event_at, event_id, pack, fold, key, code, sqlstate, constraint_name, message, entity,
                batch_id
            )
            SELECT version_id, tenant_id, event_at, event_id, pack, fold, key, code, sqlstate, constraint_name, message,
                entity::bytea, $13::bigint
            FROM unnest(
                $1::int4[], $2::int4[], $3::timestamptz[], $4::uuid[], $5::text[], $6::text[], $7::text[], $8::text[],
                $9::text[], $10::text[], $11::text[], $12::text[]
            ) AS e (
                version_id, tenant_id, event_at, event_id, pack, fold, key, code, sqlstate, constraint_name, message, entity
            )
            """,
            parameters: [versions, tenants, times, ids].map(\.parameter) + texts.map(\.parameter) + [.integer(batchID)])
    }
}
