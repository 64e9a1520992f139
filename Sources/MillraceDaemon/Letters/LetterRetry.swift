package import MillraceEvent
package import MillracePostgres
package import MillraceProjections
package import MillraceTreatment

/// Writes dead letters again, some hundred in a transaction. Blocks; the connection must be idle.
///
/// The row is the one that the batch would have written: the letter keeps spool and sequence, which an id without one
/// is derived from, and its received_at and batch_id are the row's. The ledger's counts move with it in the same
/// transaction, from dead (or refused) to rows (or duplicates), so that the audit balances before and after. A row that
/// goes in is folded into exactly those versions of projections that hold its batch: the others fold the whole batch.
///
/// A transaction that a letter makes fail is halved until that letter is alone; it stays, with the new reason. Killed at
/// any point, what was committed is closed and the rest is open.
package struct LetterRetry {
    /// Which letters.
    package enum Choice {
        /// Every open letter; nil: of every reason, of every tenant.
        case all(code: String?, tenant: Int32? = nil)
        /// Those of these ids; nil: of whichever tenant.
        case only([String], tenant: Int32? = nil)
    }

    /// What became of one.
    package enum Outcome: Equatable {
        case committed
        /// The row was there already.
        case duplicate
        /// Stays open, with the new reason.
        case refused(code: String, message: String)
        /// There is no whole line to write, or someone else closed the letter meanwhile.
        case skipped
    }

    /// Letters of a page, which is a transaction when nothing is refused; fewer where their lines are long.
    private static let pageCount = 500

    private let connection: PostgresConnection
    private let limits: EventLimits
    private let partitions: Partitions
    private let packs: [PackDefinition]
    private let policy: LinePolicy?
    private let keys: FieldKeys?
    private let actor: AuditActor

    /// `packs`: whose versions rows can be folded into. `policy`: what the daemon does to lines. `keys`: open those that were
    /// kept encrypted. `actor`: who has it done, for the audit log.
    package init(
        connection: PostgresConnection, limits: EventLimits, partitions: PartitionOptions, packs: [PackDefinition],
        policy: LinePolicy? = nil, keys: FieldKeys? = nil, actor: AuditActor = .process
    ) {
        self.actor = actor
        self.policy = policy
        self.keys = keys
        self.packs = packs
        self.connection = connection
        self.limits = limits
        self.partitions = Partitions(connection: connection, options: partitions)
    }

    /// Letters that `run` would look at now.
    package func count(_ choice: Choice) throws(PostgresError) -> Int {
        try StoredLetter.count(choice, on: connection)
    }

    /// Throws what is no fault of a letter: what went before it stays done.
    package func run(_ choice: Choice, _ closed: (_ id: String, Outcome) -> Void) throws {
        let parser = EventParser()
        var last: StoredLetter?
        while true {
            let page = try StoredLetter.page(choice, after: last, count: Self.pageCount, on: connection)
            for (letter, outcome) in zip(page, try retry(page, parser)) { closed(letter.id, outcome) }
            guard let end = page.last else { return }
            last = end
        }
    }

    /// One outcome a letter, in their order.
    private func retry(_ page: [StoredLetter], _ parser: EventParser) throws -> [Outcome] {
        var outcomes = [Outcome](repeating: .skipped, count: page.count)
        var lines: [RetriedLine] = []
        var refusals: [LetterRefusal] = []
        for (index, letter) in page.enumerated() {
            guard let kept = letter.line, letter.code != RefusalCode.lineTooLong.rawValue else { continue }
            guard let line = plain(kept, letter) else {
                outcomes[index] = .refused(code: letter.code, message: Self.sealedMessage)
                continue
            }
            switch parse(line, letter, parser) {
            case .success(let parsed):
                let row = ParsedRow(
                    parsed, tenant: letter.tenant, spoolID: letter.spoolID, sequence: letter.sequence)
                lines.append(RetriedLine(index: index, letter: letter, row: row))
            case .failure(let refusal):
                // Of a long line the intake keeps the first bytes only; the old reason is the true one then.
                if letter.isRefused, refusal.code == .invalidJSON, letter.code != refusal.code.rawValue { continue }
                // A message quotes the line; the report says it, and no table.
                let message = FieldKeys.isSealed(line: kept) ? Self.untoldMessage : refusal.message
                refusals.append(LetterRefusal(letter: letter, code: refusal.code.rawValue, message: message))
                outcomes[index] = .refused(code: refusal.code.rawValue, message: refusal.message)
            }
        }
        try LetterRefusal.keep(refusals, on: connection)
        let ready = try withMonths(lines, &outcomes)
        for (line, outcome) in zip(ready, try write(ready[...])) { outcomes[line.index] = outcome }
        return outcomes
    }

    private static let sealedMessage =
        "the line is kept encrypted, and its key is not here; set fields.keys_file to the daemon's keys"
    private static let untoldMessage =
        "the line is kept encrypted; `millrace dead-letters retry` says what is wrong with it"

    /// The letter's line as it came; nil where it can't be opened.
    private func plain(_ kept: String, _ letter: StoredLetter) -> [UInt8]? {
        guard FieldKeys.isSealed(line: kept) else { return Array(kept.utf8) }
        return keys?.line(sealedAs: kept, tenant: letter.tenant)
    }

    private func parse(_ bytes: [UInt8], _ letter: StoredLetter, _ parser: EventParser) -> Result<ParsedLine, Refusal> {
        let padded = bytes + [UInt8](repeating: 0, count: EventParser.paddingBytes)
        return padded.withUnsafeBytes { padded in
            Result { () throws(Refusal) in
                let line = UnsafeRawBufferPointer(rebasing: padded[..<bytes.count])
                let parsed = try parser.parse(line, limits: limits, receivedAt: letter.receivedAt)
                guard let policy else { return parsed }
                // What the database had refused was held against the rules when it came in, and what the daemon has treated
                // stays as it is.
                var written: [UInt8] = []
                let fate = try policy.fate(
                    ofRetried: line, wasJudged: !letter.isRefused, tenant: letter.tenant, by: parser,
                    receivedAt: letter.receivedAt, into: &written)
                guard case .replace = fate else { return parsed }
                return try policy.parsed(written, by: parser, receivedAt: letter.receivedAt)
            }
        }
    }

    /// Makes the months of `lines` that are missing, and returns the lines that have one: those of a detached month stay.
    private func withMonths(_ lines: [RetriedLine], _ outcomes: inout [Outcome]) throws -> [RetriedLine] {
        var retired: [String: PostgresError] = [:]
        for (name, month, table) in Set(lines.compactMap(RetriedLine.Month.init)).map({ ($0.name, $0.month, $0.table) })
        {
            do {
                try partitions.ensure(month, of: table)
            } catch {
                guard error.sqlState == .duplicateTable else { throw error }
                retired[name] = error
            }
        }
        guard !retired.isEmpty else { return lines }
        var refusals: [LetterRefusal] = []
        let ready = lines.filter { line in
            guard let error = RetriedLine.Month(line).flatMap({ retired[$0.name] }) else { return true }
            let refusal = LetterRefusal(
                letter: line.letter, code: "month_retired", sqlState: error.sqlState?.rawValue, message: error.message)
            refusals.append(refusal)
            outcomes[line.index] = .refused(code: refusal.code, message: refusal.message)
            return false
        }
        try LetterRefusal.keep(refusals, on: connection)
        return ready
    }

    /// One outcome a line, in their order.
    private func write(_ lines: ArraySlice<RetriedLine>) throws -> [Outcome] {
        guard let first = lines.first else { return [] }
        do {
            return try LetterTransaction(connection: connection, packs: packs, actor: actor).run(Array(lines))
        } catch let error as PostgresError where Self.isOfLetter(error) {
            guard lines.count == 1 else { return try halve(lines) }
            let refusal = LetterRefusal(
                letter: first.letter, code: "database", sqlState: error.sqlState?.rawValue, message: error.message)
            try LetterRefusal.keep([refusal], on: connection)
            return [.refused(code: refusal.code, message: refusal.message)]
        } catch is LetterTransaction.ParkedOfSeveralBatches {
            return try halve(lines)
        }
    }

    private func halve(_ lines: ArraySlice<RetriedLine>) throws -> [Outcome] {
        let middle = lines.startIndex + lines.count / 2
        return try write(lines[..<middle]) + write(lines[middle...])
    }

    /// Whether a letter may have caused it. Whatever else: nobody's letter is at fault.
    private static func isOfLetter(_ error: PostgresError) -> Bool {
        guard error.code == .serverError else { return false }
        return [.poison, .duplicate, .missingPartition, .retryWithAlarm].contains(error.category)
    }
}
