import MillracePostgres
import MillraceProjections

/// The projections' part of one writer's batches: which versions of which packs a batch is folded into, and the fold.
///
/// A version that another daemon's packs made is left alone: the batch's ledger row does not name it, so whoever knows
/// the pack folds the batch later.
struct BatchProjection {
    /// Why a version is left out, for the operator; the same again and again for the same reason.
    struct Omission: Hashable {
        var pack: String
        var versionID: Int32
        var reason: String
    }

    /// A row of `projections.versions`, as far as it decides who folds.
    struct Version {
        var id: Int32
        var pack: String
        var version: Int
        var hash: String
        var schema: String
        /// Else it is being built.
        var isLive: Bool

        static func columns(of table: String) -> String {
            ["id", "pack", "version", "definition_hash", "schema_name", "state"].map { "\(table).\($0)" }.joined(
                separator: ", ")
        }

        /// From those columns, the first at `firstColumn`; nil where a join found none.
        init?(_ rows: borrowing PostgresResult, _ row: Int, firstColumn: Int) {
            guard let id = rows.int(row, firstColumn).flatMap(Int32.init(exactly:)),
                let pack = rows.string(row, firstColumn + 1), let version = rows.int(row, firstColumn + 2),
                let hash = rows.string(row, firstColumn + 3), let schema = rows.string(row, firstColumn + 4)
            else { return nil }
            self.id = id
            self.pack = pack
            self.version = version
            self.hash = hash
            self.schema = schema
            isLive = rows.string(row, firstColumn + 5) == "live"
        }
    }

    private let packs: [PackDefinition]
    private let slot: Int
    private let fold: BatchFold
    /// Read from the catalog once a connection; by version and schema, which a switch changes.
    private var known: [String: FoldTarget] = [:]
    private weak var connection: PostgresConnection?
    private var targets: [FoldTarget] = []
    /// Ids of the versions that are read from.
    private(set) var liveVersions: [Int32] = []
    private(set) var omissions: [Omission] = []
    /// Of the batch under way.
    private(set) var duration = Duration.zero
    private var bytesMax = Int.max
    /// Whether the batch's rows make more than it may hold: it takes no more of them, and the batch is to be written in
    /// smaller ones. Rows that are short can make long ones, by the numbers in them.
    private(set) var isOverfull = false

    /// `slot`: 0 ... 15, of the writer.
    init(packs: [PackDefinition], slot: Int) {
        self.packs = packs
        self.slot = slot
        fold = BatchFold(slot: slot)
    }

    /// Sent when the transaction begins: no switch of versions happens until it ends.
    func open(_ pipeline: inout PostgresPipeline) throws(PostgresError) {
        try pipeline.send(ProjectionsLock.sharedStatement)
        try pipeline.send("SET LOCAL millrace.slot = \(slot)")
    }

    /// Starts a batch with the versions that there are. `gathersSaves`: whether any conversation has a status. `bytesMax`:
    /// what its rows may make.
    mutating func begin(
        _ versions: [Version], gathersSaves: Bool, bytesMax: Int, on connection: PostgresConnection
    ) throws {
        if self.connection !== connection {
            known = [:]
            self.connection = connection
        }
        targets = []
        liveVersions = versions.filter(\.isLive).map(\.id)
        omissions = []
        duration = .zero
        isOverfull = false
        self.bytesMax = bytesMax
        for version in versions {
            let pack = packs.first {
                $0.name == version.pack && $0.version == version.version && $0.hash == version.hash
            }
            guard let pack else {
                omissions.append(
                    Omission(
                        pack: version.pack, versionID: version.id,
                        reason: "this daemon does not have the version's definition in projections.packs"))
                continue
            }
            let key = "\(version.id) \(version.schema)"
            do {
                let target =
                    try known[key]
                    ?? FoldTarget.load(
                        versionID: version.id, schema: version.schema, pack: pack, on: connection)
                known[key] = target
                targets.append(target)
            } catch let errors as PackErrors {
                omissions.append(
                    Omission(pack: version.pack, versionID: version.id, reason: errors.description))
            }
        }
        fold.begin(targets, gathersSaves: gathersSaves)
    }

    /// Folds rows as COPY sends them.
    mutating func add(_ table: PartitionedTable, _ rows: CopyRows) {
        guard !isOverfull else { return }
        let start = ContinuousClock.now
        fold.add(table, rows)
        isOverfull = fold.byteCount > bytesMax
        duration += start.duration(to: .now)
    }

    /// Folds the rows of a leaf, except those of `refused` sequences, which did not go in.
    mutating func add(_ leaf: EncodedLeaf, without refused: Set<UInt64>) {
        guard !isOverfull else { return }
        let start = ContinuousClock.now
        leaf.forEachRow { sequence, row in
            if isOverfull || refused.contains(sequence) { return }
            fold.add(leaf.key.table, row)
            isOverfull = fold.byteCount > bytesMax
        }
        duration += start.duration(to: .now)
    }

    /// Where a row is parked together with others, of which the table may name another one. After `apply`.
    func sharedParkings(_ table: PartitionedTable, _ row: CopyRows) -> [Parking] {
        fold.sharedParkings(table, row, in: liveVersions)
    }

    /// Gives conversations their status, and writes the deltas. Blocks. Throws what must end the transaction.
    mutating func apply(batchID: Int64, on connection: PostgresConnection) throws(PostgresError) -> FoldOutcome {
        let start = ContinuousClock.now
        try ConversationStatuses(batchID: batchID, on: connection).settle(fold)
        guard !targets.isEmpty else { return FoldOutcome() }
        let outcome = try fold.apply(batchID: batchID, on: connection)
        for failure in outcome.failures {
            let pack = targets.first { $0.versionID == failure.versionID }?.pack.name ?? ""
            omissions.append(
                Omission(pack: pack, versionID: failure.versionID, reason: failure.error.description))
        }
        duration += start.duration(to: .now)
        return outcome
    }
}
