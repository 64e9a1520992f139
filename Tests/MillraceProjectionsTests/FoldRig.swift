import MillraceEvent
import MillracePostgres
import MillraceProjections
import MillraceTestSupport

/// A database with a pack's tables in schema `projections`, and events to be folded into them.
struct FoldRig {
    let database: TestDatabase
    let connection: PostgresConnection
    let target: FoldTarget

    /// `isNew`: false for tables as an older Millrace let them be.
    init(_ name: String = #function, pack: PackDefinition, isNew: Bool = true) throws {
        database = try TestCluster.shared.database(name)
        connection = try database.connect()
        target = try PackFixture.install(pack, isNew: isNew, on: connection)
    }

    /// Folds rows in a transaction of their own.
    @discardableResult
    func fold(
        _ rows: some Sequence<[UInt8]>, slot: Int = 3, on session: PostgresConnection? = nil
    ) throws -> FoldOutcome {
        let session = session ?? connection
        let fold = BatchFold(slot: slot)
        fold.begin([target])
        for row in rows { row.withUnsafeBytes { fold.add(.analyticsEvents, rows: $0) } }
        try session.execute("BEGIN; SET LOCAL millrace.slot = \(slot)")
        let outcome = try fold.apply(batchID: 9, on: session)
        try session.execute("COMMIT")
        return outcome
    }

    /// The first column of each row.
    func strings(_ sql: String) throws -> [String] {
        let rows = try connection.execute(sql)
        return (0..<rows.rowCount).map { rows.string($0, 0) ?? "NULL" }
    }

    /// Fold, code and the last digit of the event's id, of what is parked.
    func parked() throws -> [String] {
        try strings(
            "SELECT concat_ws(' ', fold, code, right(event_id::text, 1)) FROM projections.parked ORDER BY event_id, fold"
        )
    }
}

extension EventRows {
    /// An event whose id and time follow from its number.
    mutating func append(_ type: String, _ payload: String, number: UInt64) {
        append(
            type, payload, user: 1, createdAt: 1_795_000_000_000_000 + Int64(number),
            id: UniqueID(high: 1, low: number))
    }
}
