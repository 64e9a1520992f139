internal import CMillrace
internal import MillraceConsole
internal import MillraceDaemon
internal import MillraceEvent
internal import MillracePostgres
internal import MillraceProjections

/// The events that a pack is tried with, and where they stand in the ledger: in one batch of a spool of their own, so that
/// they can be told from all others and taken away again.
struct PackSeed {
    let pack: PackDefinition
    /// Whose rows they are.
    let tenant: Int32
    let lines: [String]

    init(pack: PackDefinition, tenant: Int32 = 0, lines: [String]) {
        self.pack = pack
        self.tenant = tenant
        self.lines = lines
    }

    /// Of `projections.packs`; no names: all that have a seed. Throws when a named pack has none.
    static func all(named names: [String], of tenant: Int32, _ context: CommandContext) throws -> [PackSeed] {
        let packs = try names.isEmpty ? context.packs() : names.flatMap { try context.packs(named: $0) }
        var seen: Set<String> = []
        return try packs.filter { seen.insert($0.name).inserted }.compactMap { pack in
            if let lines = try context.seed(of: pack.name), !lines.isEmpty {
                return PackSeed(pack: pack, tenant: tenant, lines: lines)
            }
            guard !names.isEmpty else { return nil }
            throw CommandError("pack \(pack.name) has no seed.ndjson", hint: "Put one beside its pack.toml")
        }
    }

    /// Always the same for a pack and a tenant.
    var spoolID: UniqueID {
        let owner = tenant == 0 ? [] : [Array("tenant \(tenant)".utf8)]
        return ContentIdentity.id(of: [Array("millrace seed".utf8), Array(pack.name.utf8)] + owner)
    }

    /// In `ingest_spools`, where a daemon's spool has its machine.
    var host: String { Self.hostPrefix + pack.name + (tenant == 0 ? "" : " for tenant \(tenant)") }

    static let hostPrefix = "seed of "

    /// The rows, a millisecond apart up to `now`: the last word on a thing is the last line on it.
    func rows(limits: EventLimits, now: Timestamp) throws(CommandError) -> [ParsedRow] {
        let parser = EventParser()
        var rows: [ParsedRow] = []
        for (index, line) in lines.enumerated() {
            let time = now.advanced(by: .milliseconds(index + 1 - lines.count))
            let bytes = Array(line.utf8)
            let padded = bytes + [UInt8](repeating: 0, count: EventParser.paddingBytes)
            let parsed = padded.withUnsafeBytes { padded in
                Result { () throws(Refusal) in
                    try parser.parse(
                        UnsafeRawBufferPointer(rebasing: padded[..<bytes.count]), limits: limits, receivedAt: time)
                }
            }
            switch parsed {
            case .success(let line):
                if case .event(let event) = line, ConversationStatuses.takes(event.eventType) {
                    throw CommandError(
                        "line \(index + 1) of the seed of \(pack.name) says the status of a conversation: unseed could "
                            + "not tell what it was before",
                        hint: "Leave it out of its seed.ndjson")
                }
                rows.append(ParsedRow(line, tenant: tenant, spoolID: spoolID, sequence: UInt64(index) + 1))
            case .failure(let refusal):
                throw CommandError(
                    "line \(index + 1) of the seed of \(pack.name) is no event: \(refusal.message)",
                    hint: "Correct its seed.ndjson")
            }
        }
        return rows
    }
}

/// What the ledger knows of a seed.
struct SeedStanding {
    var batchID: Int64
    var rows: Int
    var conversations: Int
    /// Versions of packs that it is folded into.
    var folded: [Int32]

    /// Nil when the pack is not seeded. Blocks.
    init?(_ seed: PackSeed, on connection: PostgresConnection) throws(PostgresError) {
        let found = try connection.query(
            """
            SELECT batch_id, rows, conversation_rows, array_to_string(folded, ',')
            FROM public.ingest_batches
            WHERE spool_id = $1::uuid
            """, parameters: [.text("\(seed.spoolID)")])
        guard found.rowCount > 0 else { return nil }
        batchID = Int64(found.int(0, 0) ?? 0)
        rows = found.count(0, 1)
        conversations = found.count(0, 2)
        folded = (found.string(0, 3) ?? "").split(separator: ",").compactMap { Int32($0) }
    }

    /// Its rows are gone, and projections are still to be built without them.
    var isBeingRemoved: Bool { rows == 0 }

    /// The condition of its rows in the table that is called `name`; the time keeps other months unread.
    func condition(on name: String) -> String {
        let time = BatchID.time(of: batchID)
        return Self.condition(
            on: name, batchID: batchID, from: time.advanced(by: .seconds(-86_400)),
            to: time.advanced(by: .seconds(86_400)))
    }

    static func condition(on name: String, batchID: Int64, from: Timestamp, to: Timestamp) -> String {
        "\(name).batch_id = \(batchID) AND \(name).created_at BETWEEN '\(from.rfc3339)' AND '\(to.rfc3339)'"
    }
}

/// What is in the database besides seeds.
struct DatabaseContents {
    var database: String
    /// By the ledger.
    var foreignRows: Int

    /// Blocks.
    init(on connection: PostgresConnection) throws(PostgresError) {
        let found = try connection.query(
            """
            SELECT current_database(), COALESCE(sum(rows), 0)::bigint
            FROM public.ingest_batches
            WHERE spool_id NOT IN (SELECT spool_id FROM public.ingest_spools WHERE starts_with(host, $1))
            """, parameters: [.text(PackSeed.hostPrefix)], timeout: .seconds(60))
        database = found.string(0, 0) ?? ""
        foreignRows = found.count(0, 1)
    }
}
