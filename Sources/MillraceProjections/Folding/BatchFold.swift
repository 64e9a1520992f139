internal import CMillrace
internal import MillraceEvent
package import MillracePostgres

/// Folds a batch's rows in memory, one delta a key, and puts them into the projections' tables inside the batch's
/// transaction. One thread's; reused from batch to batch.
///
/// What a fold makes of rows depends only on the rows, not on their order, on how batches cut them, or on who folds them:
/// counts and sums add up, sketches unite, and of an entity's events the one with the greatest (created_at, id) wins. So
/// a version that a rebuild makes equals the one that the writers kept.
///
/// Upserts go in the order of versions, folds and keys, so that two sessions that touch the same rows wait for each
/// other instead of deadlocking.
package final class BatchFold {
    /// What a row of one type is added to.
    private struct Plan {
        /// Numbers of the accumulators.
        var folds: [(index: Int, change: EntityChange)] = []
        /// nil: no fold wants a path.
        var extractor: FieldExtractor?
        /// What an event of this type says of a conversation.
        var status: StatusGathering.EventType?
        /// Whether any fold makes a row of the event, rather than adds it to one.
        var makesRows = false
    }

    private struct Output: Hashable {
        var path: [String]
        var wantsJSON: Bool
    }

    var targets: [FoldTarget] = []
    /// In the order of targets and folds.
    var programs: [(target: Int, program: FoldProgram)] = []
    // SAFETY: as many as programs; made in `prepare`, destroyed in `release`. A pointer, because the path of a row must
    // not pay for checks of exclusive access.
    var accumulators = UnsafeMutablePointer<FoldAccumulator>.allocate(capacity: 0)
    /// By the number of the target; those of packs that have any.
    private(set) var cascades: [Int: CascadeFold] = [:]
    private var types = TypeTable()
    private var plans: [Plan] = []
    private var conversations = Plan()
    /// Of `conversations`: the folds that count rows, so that a row can be taken off again, and the others.
    private var (counted, uncounted) = (Plan(), Plan())
    let statuses = StatusGathering()
    private var outputs: [Output: Int] = [:]
    // SAFETY: both are allocated with the object, `paths` again in `prepare` with a place for each output, and freed in
    // `deinit` or before the next one. Rows and accumulators get the pointers for the time of a call only.
    private var paths = UnsafeMutablePointer<mr_text>.allocate(capacity: 1)
    /// Room for the field offsets of a row from a table, which comes without them.
    private let found = UnsafeMutablePointer<UInt32>.allocate(capacity: RowLayout.columnsMax + 1)
    var refused: [(fold: Int, event: ParkedEvent)] = []
    /// By fold and tuple: what several rows made together and a table refused, of which `projections.parked` names one.
    var shared: [Int: [Int: Parking]] = [:]
    /// Rows whose document a fold needs and which was too large to be read.
    package private(set) var unread = UnreadRows()
    private let slot: Int
    let known = KnownSketches()
    /// Folds whose entities contended for unique values when they were last looked at.
    var contended: Set<Int> = []
    /// Numbers of the entity folds, and the statement that answers those of them that something is parked of.
    var entities: [Int] = []
    var parkedEntities = ""

    /// `slot`: 0 ... 15, of the session that `apply` gets.
    package init(slot: Int) {
        self.slot = slot
    }

    deinit {
        release()
        accumulators.deallocate()
        paths.deallocate()
        found.deallocate()
    }

    /// Starts a batch: forgets all rows. `gathersSaves`: whether any conversation has a status, which may be one of those
    /// that the batch's saves belong to.
    package func begin(_ targets: [FoldTarget], gathersSaves: Bool = false) {
        statuses.begin(gathersSaves: gathersSaves)
        let sorted = targets.sorted { $0.versionID < $1.versionID }
        if sorted.count == self.targets.count, zip(sorted, self.targets).allSatisfy({ $0 === $1 }) {
            for index in programs.indices { accumulators[index].clear() }
        } else {
            prepare(sorted)
        }
        if types.isFull {
            types.clear()
            plans = []
        }
        refused = []
        shared = [:]
        unread = UnreadRows()
        known.begin()
    }

    /// What the batch's rows take in memory so far.
    package var byteCount: Int {
        programs.indices.reduce(statuses.byteCount) { $0 + accumulators[$1].byteCount }
    }

    /// Adds rows of the encoder, whose fields are known.
    package func add(_ table: PartitionedTable, _ rows: CopyRows) {
        guard var fields = rows.fields.baseAddress, var row = rows.bytes.baseAddress else { return }
        if table == .conversations { statuses.hasSaves = true }
        let layout = RowLayout.of(table)
        let (fieldsEnd, rowsEnd) = (fields + rows.fields.count, row + rows.bytes.count)
        while fields < fieldsEnd {
            add(FoldRow(row, fields: fields, paths: paths, of: layout), layout)
            row += Int(fields[layout.columnCount])
            fields += layout.columnCount + 1
        }
        precondition(row == rowsEnd, "rows of COPY end where their fields say")
    }

    /// Adds rows that a table gave, one after the other, of binary COPY in the encoder's column order: int16 count of
    /// fields, then int32 length and value of each. A document that is NULL was too large to be read (`PrintedSize`).
    package func add(_ table: PartitionedTable, rows: UnsafeRawBufferPointer) {
        if table == .conversations { statuses.hasSaves = true }
        forEachRow(of: table, rows) { add($0, $1) }
    }

    /// Adds saves that a table gave and that are not active: they are in no count.
    package func add(inactiveSaves rows: UnsafeRawBufferPointer) {
        forEachRow(of: .conversations, rows) { add($0, uncounted, document: $1.document) }
    }

    /// Takes rows off what they are counted in, by -1, or adds them again, by 1. `versions`: those that hold them; nil for
    /// all.
    func correct(
        _ table: PartitionedTable = .conversations, _ rows: UnsafeRawBufferPointer, by weight: Int64,
        in versions: Set<Int32>?
    ) {
        forEachRow(of: table, rows) { row, layout in
            var plan = layout.type == nil ? counted : self.plan(of: row, layout)
            plan.status = nil
            plan.folds.removeAll { index, _ in
                let (target, program) = programs[index]
                return !program.fold.countsRows || versions.map { !$0.contains(targets[target].versionID) } ?? false
            }
            add(row, plan, document: layout.document, weight: weight)
        }
    }

    private func forEachRow(
        of table: PartitionedTable, _ rows: UnsafeRawBufferPointer, _ body: (FoldRow, RowLayout) -> Void
    ) {
        guard var row = rows.baseAddress else { return }
        let layout = RowLayout.of(table)
        let end = row + rows.count
        while row < end {
            layout.findFields(of: row, into: found)
            let rowEnd = row + Int(found[layout.columnCount])
            precondition(rowEnd <= end, "a row of COPY ends where its lengths say")
            body(FoldRow(row, fields: found, paths: paths, of: layout), layout)
            row = rowEnd
        }
    }

    private func add(_ row: FoldRow, _ layout: RowLayout) {
        guard layout.type != nil else {
            if statuses.gathersSaves { statuses.add(save: row) }
            return add(row, conversations, document: layout.document)
        }
        add(row, plan(of: row, layout), document: layout.document)
    }

    private func plan(of row: FoldRow, _ layout: RowLayout) -> Plan {
        guard let type = layout.type else { return conversations }
        let (number, isNew) = types.number(of: row.value(type))
        if isNew { plans.append(plan(ofType: row.value(type))) }
        return plans[number]
    }

    private func add(_ row: FoldRow, _ plan: Plan, document: Int, weight: Int64 = 1) {
        if let type = plan.status { statuses.add(event: row, type, document: document) }
        if plan.extractor != nil, row.length(document) < 0 { return addUnread(row, plan) }
        if let extractor = plan.extractor {
            // After jsonb's version byte.
            extractor.extract(UnsafeRawBufferPointer(rebasing: row.value(document).dropFirst()), into: paths)
        }
        let isErased = plan.makesRows && ErasureScope.isMark(row.value(document))
        for (index, change) in plan.folds {
            if isErased, programs[index].program.fold.makesRows { continue }
            if let refusal = accumulators[index].add(row, change, weight: weight) {
                park(row, refusal, fold: index)
            }
        }
    }

    /// Folds that don't look into the document take the row.
    private func addUnread(_ row: FoldRow, _ plan: Plan) {
        unread.append(UniqueID(high: row.idHigh, low: row.idLow))
        for (index, change) in plan.folds {
            if programs[index].program.readsDocument {
                park(row, .unreadDocument, fold: index)
            } else if let refusal = accumulators[index].add(row, change) {
                park(row, refusal, fold: index)
            }
        }
    }

    /// Where a row of the batch, of the encoder, is parked together with others, so that `projections.parked` need not
    /// name it; in `versions` only. After `apply`.
    package func sharedParkings(_ table: PartitionedTable, _ row: CopyRows, in versions: [Int32]) -> [Parking] {
        guard !shared.isEmpty, let fields = row.fields.baseAddress, let start = row.bytes.baseAddress else { return [] }
        let layout = RowLayout.of(table)
        let row = FoldRow(start, fields: fields, paths: paths, of: layout)
        let plan = plan(of: row, layout)
        if let extractor = plan.extractor {
            guard row.length(layout.document) >= 0 else { return [] }
            extractor.extract(UnsafeRawBufferPointer(rebasing: row.value(layout.document).dropFirst()), into: paths)
        }
        return plan.folds.compactMap { index, _ in
            guard let tuples = shared[index], versions.contains(targets[programs[index].target].versionID) else {
                return nil
            }
            return accumulators[index].tupleIndex(of: row).flatMap { tuples[$0] }
        }
    }

    // MARK: - Plans

    private func prepare(_ targets: [FoldTarget]) {
        release()
        self.targets = targets
        types.clear()
        plans = []
        outputs = [:]
        known.clear()
        var made: [(target: Int, program: FoldProgram)] = []
        for (index, target) in targets.enumerated() {
            for fold in target.pack.folds {
                let program = FoldProgram(fold, of: target, slot: slot) { [unowned self] path, wantsJSON in
                    output(of: Output(path: path, wantsJSON: wantsJSON))
                }
                made.append((index, program))
            }
        }
        programs = made
        contended = []
        entities = made.indices.filter { index in
            if case .entity = made[index].program.fold.kind { return true }
            return false
        }
        parkedEntities = ParkedEvent.question(
            of: entities.map { (targets[made[$0].target].parkedID, made[$0].program.fold.name) })
        cascades = [:]
        for (index, target) in targets.enumerated() {
            let own = made.indices.filter { made[$0].target == index }.map { (index: $0, program: made[$0].program) }
            cascades[index] = CascadeFold(of: target, programs: own)
        }
        accumulators.deallocate()
        accumulators = .allocate(capacity: made.count)
        for (index, one) in made.enumerated() { (accumulators + index).initialize(to: FoldAccumulator(one.program)) }
        paths.deallocate()
        paths = .allocate(capacity: max(1, outputs.count))
        paths.initialize(repeating: mr_text(bytes: nil, length: 0), count: max(1, outputs.count))
        conversations = plan { fold in fold.source == .conversations ? .save : nil }
        counted = plan { fold in fold.source == .conversations && fold.countsRows ? .save : nil }
        uncounted = plan { fold in fold.source == .conversations && !fold.countsRows ? .save : nil }
    }

    private func release() {
        accumulators.deinitialize(count: programs.count)
        programs = []
    }

    private func output(of wanted: Output) -> Int {
        if let known = outputs[wanted] { return known }
        let number = outputs.count
        outputs[wanted] = number
        return number
    }

    private func plan(ofType type: UnsafeRawBufferPointer) -> Plan {
        let name = String(decoding: type, as: UTF8.self)
        var plan = plan { fold in
            guard case .events(let patterns) = fold.source else { return nil }
            if patterns.contains(where: { $0.matches(name) }) { return .save }
            guard case .entity(let entity) = fold.kind else { return nil }
            if entity.deletes.contains(where: { $0.matches(name) }) { return .delete }
            return entity.patches.contains { $0.matches(name) } ? .patch : nil
        }
        plan.status = StatusGathering.EventType(named: name)
        return plan
    }

    /// `change`: of a fold, nil when it doesn't want the row.
    private func plan(_ change: (FoldDefinition) -> EntityChange?) -> Plan {
        var plan = Plan()
        var wanted: Set<Int> = []
        for (index, one) in programs.enumerated() {
            guard let change = change(one.program.fold) else { continue }
            plan.folds.append((index, change))
            plan.makesRows = plan.makesRows || one.program.fold.makesRows
            for step in one.program.columns.map(\.step) + (one.program.distinct.map { [$0] } ?? [])
            where step.source == .path {
                wanted.insert(step.index)
            }
        }
        guard !wanted.isEmpty else { return plan }
        let extractor = FieldExtractor()
        for (output, number) in outputs where wanted.contains(number) {
            extractor.add(output.path, wantsJSON: output.wantsJSON, output: number)
        }
        plan.extractor = extractor
        return plan
    }

    private func park(_ row: FoldRow, _ refusal: FoldAccumulator.Refusal, fold index: Int) {
        let (number, program) = programs[index]
        let tenant = row.value(RowLayout.index(of: "tenant_id", in: program.fold.source.table))
        let (code, message) =
            switch refusal {
            case .missingKey(let column): ("missing_key", "\(program.label(of: column)) is missing or null")
            case .relativeTime(let column):
                ("relative_time", "\(program.label(of: column)) depends on when it is read; a time is wanted")
            case .notFinite(let column):
                (
                    "not_finite",
                    "\(program.label(of: column)) is NaN or infinite, and is counted or added up; a finite value is wanted"
                )
            case .longNumbers(let column):
                (
                    "long_numbers",
                    "\(column.map(program.label) ?? "what is counted") has a number of more than "
                        + "\(MR_NUMBER_TEXT_BYTES_MAX) digits"
                )
            case .unreadDocument:
                (
                    ParkedEvent.unreadCode,
                    "its numbers are more than \(PrintedSize.bytesMax >> 20) MiB when they are printed; it was not read"
                )
            }
        refused.append(
            (
                index,
                ParkedEvent(
                    versionID: targets[number].parkedID, pack: targets[number].pack.name, fold: program.fold.name,
                    key: "", code: code, sqlState: nil, constraint: nil, message: message, eventAt: row.createdAt,
                    eventID: UniqueID(high: row.idHigh, low: row.idLow),
                    tenant: Int32(bigEndian: tenant.loadUnaligned(as: Int32.self)))
            ))
    }
}

extension FoldDefinition {
    /// Whether each row adds to a number, from which it can be taken off again.
    fileprivate var countsRows: Bool {
        switch kind {
        case .counter, .top: true
        case .unique, .entity, .append: false
        }
    }

    /// Whether each row is one of its table.
    fileprivate var makesRows: Bool {
        switch kind {
        case .entity, .append: true
        case .counter, .top, .unique: false
        }
    }
}
