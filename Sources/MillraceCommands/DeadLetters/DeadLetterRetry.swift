internal import MillraceEvent
internal import MillracePostgres
internal import MillraceProjections

/// Writes dead letters again, each in a transaction of its own. Blocks; the connection must be idle.
///
/// The row is the one that the batch would have written: the letter keeps spool and sequence, which an id without one
/// is derived from, and its received_at and batch_id are the row's. The ledger's counts move with it in the same
/// transaction, from dead (or refused) to rows (or duplicates), so that the audit balances before and after. A row that
/// goes in is folded into exactly those versions of projections that hold its batch: the others fold the whole batch.
struct DeadLetterRetry {
    enum Choice {
        /// Every open letter; nil: of every reason.
        case all(code: String?)
        case only([String])
    }

    enum Outcome: Equatable {
        case committed
        /// The row was there already.
        case duplicate
        /// Stays open, with the new reason.
        case refused(code: String, message: String)
        /// There is no whole line to write, or someone else settled the letter meanwhile.
        case skipped
    }

    /// Letters read at a time.
    private static let pageCount = 200

    private let connection: PostgresConnection
    private let limits: EventLimits
    private let partitions: Partitions
    private let packs: [PackDefinition]
    private let fold = BatchFold(slot: Rebuild.slot)

    /// `packs`: whose versions rows can be folded into.
    init(
        connection: PostgresConnection, limits: EventLimits, partitions: PartitionOptions, packs: [PackDefinition]
    ) {
        self.packs = packs
        self.connection = connection
        self.limits = limits
        self.partitions = Partitions(connection: connection, options: partitions)
    }

    /// Throws what is no fault of a letter: what went before it stays done.
    func run(_ choice: Choice, _ settled: (_ id: String, Outcome) -> Void) throws {
        let parser = EventParser()
        var last: StoredLetter?
        while true {
            let page = try StoredLetter.page(choice, after: last, count: Self.pageCount, on: connection)
            for letter in page { settled(letter.id, try retry(letter, parser)) }
            guard let end = page.last else { return }
            last = end
        }
    }

    private func retry(_ letter: StoredLetter, _ parser: EventParser) throws -> Outcome {
        guard let line = letter.line, letter.code != RefusalCode.lineTooLong.rawValue else { return .skipped }
        switch parse(line, letter, parser) {
        case .success(let parsed):
            let row = ParsedRow(
                parsed, tenant: letter.tenant, spoolID: letter.spoolID, sequence: letter.sequence)
            return try write(row, letter)
        case .failure(let refusal):
            // Of a long line the intake keeps the first bytes only; the old reason is the true one then.
            if letter.isRefused, refusal.code == .invalidJSON, letter.code != refusal.code.rawValue { return .skipped }
            try keep(letter, code: refusal.code.rawValue, sqlState: nil, message: refusal.message)
            return .refused(code: refusal.code.rawValue, message: refusal.message)
        }
    }

    private func parse(_ line: String, _ letter: StoredLetter, _ parser: EventParser) -> Result<ParsedLine, Refusal> {
        let bytes = Array(line.utf8)
        let padded = bytes + [UInt8](repeating: 0, count: EventParser.paddingBytes)
        return padded.withUnsafeBytes { padded in
            Result { () throws(Refusal) in
                try parser.parse(
                    UnsafeRawBufferPointer(rebasing: padded[..<bytes.count]), limits: limits,
                    receivedAt: letter.receivedAt)
            }
        }
    }

    private func write(_ row: ParsedRow, _ letter: StoredLetter) throws -> Outcome {
        do {
            if let month = PartitionMonth(microseconds: row.createdAt.microseconds) {
                try partitions.ensure(month, of: row.table)
            }
            return try ProjectionsLock(connection: connection).transaction {
                try connection.execute(ProjectionsLock.sharedStatement)
                let taken = try connection.query(
                    "UPDATE public.dead_letters SET state = 'retried', resolved_at = now() WHERE id = $1::uuid AND state = 'open'",
                    parameters: [.text(letter.id)])
                guard taken.affectedRows == 1 else { return .skipped }
                let versions = try lockBatch(letter)
                let isNew = try insert(row, letter)
                try account(row, letter, isNew: isNew)
                if isNew { try foldRow(row, letter, into: versions) }
                return isNew ? .committed : .duplicate
            }
        } catch let error as PostgresError {
            switch error.category {
            case .poison, .duplicate, .missingPartition: break
            case .retry, .retryWithAlarm, .stop: throw error
            }
            try keep(letter, code: "database", sqlState: error.sqlState?.rawValue, message: error.message)
            return .refused(code: "database", message: error.message)
        }
    }

    /// Returns whether the row went in.
    private func insert(_ row: ParsedRow, _ letter: StoredLetter) throws(PostgresError) -> Bool {
        var parameters: [PostgresParameter?] = [
            .text("\(row.id)"), .integer(row.createdAt.microseconds), .integer(letter.receivedAt.microseconds),
            .integer(letter.tenant), .integer(letter.batchID),
        ]
        var names = ["id", "created_at", "received_at", "tenant_id", "batch_id"]
        var values = [
            "$1::uuid", Self.time("$2"), Self.time("$3"), "$4::integer", "$5::bigint",
        ]
        for column in row.columns {
            parameters.append(column.value.map { .text($0) })
            names.append(column.name)
            values.append("$\(parameters.count)::\(column.type)")
        }
        let insert = "INSERT INTO public.\(row.table.rawValue) (\(names.joined(separator: ", ")))"
        let list = values.joined(separator: ", ")
        let statement =
            row.needsEventID
            ? """
            WITH known AS (
                INSERT INTO public.event_ids (id, created_at)
                VALUES ($1::uuid, \(Self.time("$2")))
                ON CONFLICT (id) DO NOTHING
                RETURNING id
            )
            \(insert)
            SELECT \(list) FROM known
            ON CONFLICT (created_at, id) DO NOTHING
            """
            : "\(insert) VALUES (\(list)) ON CONFLICT (created_at, id) DO NOTHING"
        return try connection.query(statement, parameters: parameters).affectedRows == 1
    }

    /// Keeps the batch's ledger row until the end, so that nobody folds the batch meanwhile; returns the versions that hold
    /// it.
    private func lockBatch(_ letter: StoredLetter) throws(PostgresError) -> [PackVersion] {
        let rows = try connection.query(
            """
            SELECT unnest(folded)
            FROM (
                SELECT folded
                FROM public.ingest_batches
                WHERE spool_id = $1::uuid AND batch_id = $2::bigint AND $3::bigint BETWEEN first_seq AND last_seq
                FOR UPDATE
            ) AS batch
            """,
            parameters: [.text("\(letter.spoolID)"), .integer(letter.batchID), .integer(letter.sequence)])
        let ids = Set((0..<rows.rowCount).compactMap { rows.int($0, 0) })
        return try ids.isEmpty ? [] : PackVersion.all(connection).filter { ids.contains(Int($0.id)) }
    }

    private func foldRow(_ row: ParsedRow, _ letter: StoredLetter, into versions: [PackVersion]) throws {
        let targets = try versions.map { version in
            guard let pack = packs.first(where: version.isMade(from:)) else {
                throw CommandError(
                    "the letter's batch is in version \(version.version) of pack \(version.pack), whose files are not "
                        + "those of projections.packs",
                    hint:
                        "Run `millrace projections rebuild \(version.pack)` first, or retry with the files that made it"
                )
            }
            return try FoldTarget.load(versionID: version.id, schema: version.schema, pack: pack, on: connection)
        }
        guard !targets.isEmpty else { return }
        fold.begin(targets)
        try connection.copyOut(
            """
            COPY (
                SELECT \(row.table.encodedColumns)
                FROM public.\(row.table.rawValue)
                WHERE id = '\(row.id)' AND batch_id = \(letter.batchID)
                    AND created_at = \(Self.time("\(row.createdAt.microseconds)"))
            ) TO STDOUT (FORMAT binary)
            """
        ) { bytes in
            fold.add(row.table, rows: bytes)
            return true
        }
        try connection.execute("SET LOCAL millrace.slot = \(Rebuild.slot)")
        let outcome = try fold.apply(batchID: Int64(letter.batchID), on: connection)
        if let failure = outcome.failures.first { throw failure.error }
    }

    /// Moves the line from one count of its batch to another.
    private func account(_ row: ParsedRow, _ letter: StoredLetter, isNew: Bool) throws(PostgresError) {
        let isConversation = row.table == .conversations
        var changes = [letter.isRefused ? "refused = refused - 1" : "dead = dead - 1"]
        if letter.isDeadConversation { changes.append("conversation_dead = conversation_dead - 1") }
        let count = isNew ? "rows" : "duplicates"
        changes.append("\(count) = \(count) + 1")
        if isConversation { changes.append("conversation_\(count) = conversation_\(count) + 1") }
        let updated = try connection.query(
            """
            UPDATE public.ingest_batches
            SET \(changes.joined(separator: ", "))
            WHERE spool_id = $1::uuid AND batch_id = $2::bigint AND $3::bigint BETWEEN first_seq AND last_seq
            """,
            parameters: [.text("\(letter.spoolID)"), .integer(letter.batchID), .integer(letter.sequence)])
        guard updated.affectedRows == 1 else {
            throw PostgresError(
                code: .serverError, sqlState: SQLState(rawValue: "P0002"),
                message: "the ledger has no batch \(letter.batchID) for this letter",
                hint: "Run `millrace verify`; the letter was left as it was.")
        }
    }

    private func keep(
        _ letter: StoredLetter, code: String, sqlState: String?, message: String
    ) throws(PostgresError) {
        try connection.query(
            """
            UPDATE public.dead_letters
            SET code = $2, sqlstate = $3, message = $4
            WHERE id = $1::uuid AND state = 'open'
            """, parameters: [.text(letter.id), .text(code), sqlState.map { .text($0) }, .text(message)])
    }

    /// Microseconds since 1970 as a timestamptz; exact, since a double holds every such integer.
    private static func time(_ parameter: String) -> String {
        "timestamptz 'epoch' + \(parameter)::bigint * interval '1 microsecond'"
    }
}
