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

    private let packs: [PackDefinition]
    private let slot: Int
    private let fold = BatchFold()
    /// Read from the catalog once a connection; by version and schema, which a switch changes.
    private var known: [String: FoldTarget] = [:]
    private weak var connection: PostgresConnection?
    private var targets: [FoldTarget] = []
    private(set) var omissions: [Omission] = []
    /// Of the batch under way.
    private(set) var duration = Duration.zero

    /// `slot`: 0 ... 15, of the writer.
    init(packs: [PackDefinition], slot: Int) {
        self.packs = packs
        self.slot = slot
    }

    /// Whether the batch is folded into anything.
    var isActive: Bool { !targets.isEmpty }

    /// Joined to the transaction's first message: no switch of versions happens until it ends.
    var opening: String {
        """
        \(ProjectionsLock.sharedStatement);
        SET LOCAL millrace.slot = \(slot);
        """
    }

    /// Starts a batch with the versions that there are: rows of (id, pack, version, definition_hash, schema_name) from
    /// `firstColumn` on; without an id there is none.
    mutating func begin(
        _ versions: borrowing PostgresResult, firstColumn: Int, on connection: PostgresConnection
    ) throws {
        if self.connection !== connection {
            known = [:]
            self.connection = connection
        }
        targets = []
        omissions = []
        duration = .zero
        for row in 0..<versions.rowCount {
            guard let id = versions.int(row, firstColumn).flatMap(Int32.init(exactly:)),
                let name = versions.string(row, firstColumn + 1), let schema = versions.string(row, firstColumn + 4)
            else { continue }
            let pack = packs.first {
                $0.name == name && $0.version == versions.int(row, firstColumn + 2)
                    && $0.hash == versions.string(row, firstColumn + 3)
            }
            guard let pack else {
                omissions.append(
                    Omission(
                        pack: name, versionID: id,
                        reason: "this daemon does not have the version's definition in projections.packs"))
                continue
            }
            let key = "\(id) \(schema)"
            do {
                let target =
                    try known[key]
                    ?? FoldTarget.load(versionID: id, schema: schema, pack: pack, on: connection)
                known[key] = target
                targets.append(target)
            } catch let errors as PackErrors {
                omissions.append(Omission(pack: name, versionID: id, reason: errors.description))
            }
        }
        fold.begin(targets)
    }

    /// Folds rows as COPY sends them, one behind the other.
    mutating func add(_ table: PartitionedTable, rows: UnsafeRawBufferPointer) {
        guard isActive else { return }
        let start = ContinuousClock.now
        fold.add(table, rows: rows)
        duration += start.duration(to: .now)
    }

    /// Folds the rows of a leaf, except those of `refused` sequences, which did not go in.
    mutating func add(_ leaf: EncodedLeaf, without refused: Set<UInt64>) {
        guard isActive else { return }
        let start = ContinuousClock.now
        leaf.forEachRow { sequence, row in
            if !refused.contains(sequence) { fold.add(leaf.key.table, rows: row) }
        }
        duration += start.duration(to: .now)
    }

    /// Writes the deltas. Blocks. Throws what must end the transaction.
    mutating func apply(batchID: Int64, on connection: PostgresConnection) throws(PostgresError) -> FoldOutcome {
        guard isActive else { return FoldOutcome() }
        let start = ContinuousClock.now
        let outcome = try fold.apply(slot: slot, batchID: batchID, on: connection)
        for failure in outcome.failures {
            let pack = targets.first { $0.versionID == failure.versionID }?.pack.name ?? ""
            omissions.append(
                Omission(pack: pack, versionID: failure.versionID, reason: failure.error.description))
        }
        duration += start.duration(to: .now)
        return outcome
    }
}
