import Foundation
import MillraceChannels
import MillraceEvent
import MillracePostgres
import MillraceProjections
import MillraceTestSupport
import Testing

@testable import MillraceWriter
import MillraceTelemetry

/// Two tenants that send the same: ids, times, conversations, keys of entities, values that are unique. Each must have what
/// it has when it is alone.
@Suite(.onOwnThreads) struct TenantIsolationTests {
    private static let packs = ["analytics", "conversations", "workspaces", "commerce", "casework", "product"]
    private static let tenants: [Int32] = [0, 7]

    /// Lines of one kind and tenant.
    private struct Lines {
        var tenant: Int32
        var kind: RecordKind
        var receivedAt: Timestamp
        var lines: [String]
    }

    private struct Rig {
        let connection: PostgresConnection
        private let spool = MemorySpool()
        private let writer: BatchWriter
        private let metrics = WriterMetrics()

        init(_ name: String) throws {
            connection = try TestCluster.shared.database(name).connect()
            let packs = try TenantIsolationTests.packs.map { try PackLoader().load($0) }
            for pack in packs { try PackFixture.install(pack, on: connection) }
            try connection.execute(
                "ALTER TABLE analytics_events ADD CONSTRAINT no_poison CHECK (event_type <> 'poison')")
            let start = Timestamp.now.microseconds - 40 * 86_400_000_000
            try Partitions(connection: connection).ensureAhead(months: 2, from: start)
            writer = BatchWriter(
                spool: spool, index: 0,
                partitions: LeafPartitions(PartitionsConfiguration(), options: PartitionOptions()), packs: packs,
                partBytesMax: 1 << 20)
        }

        /// Returns how many batches went the careful way.
        func write(_ batches: [[Lines]]) throws -> Int {
            for batch in batches {
                let extents = batch.map {
                    spool.append($0.lines, kind: $0.kind, tenant: $0.tenant, receivedAt: $0.receivedAt)
                }
                let result = try writer.write(Batch(extents: extents), awaited: [], on: connection, metrics: metrics)
                guard case .committed(let committed) = result else {
                    throw TestSupportError(message: "a batch was there already")
                }
                #expect(committed.omissions == [])
            }
            return metrics.stagedBatches.value
        }

        /// All that a tenant has in any table, a line a row; without what tells one database from another.
        func rows(of tenant: Int32) throws -> [String: [String]] {
            let tables = try connection.execute(
                """
                SELECT format('%I.%I', nspname, relname)
                FROM pg_class AS relation
                JOIN pg_namespace AS space ON space.oid = relnamespace
                JOIN pg_attribute ON attrelid = relation.oid AND attname = 'tenant_id'
                WHERE nspname IN ('public', 'projections') AND relkind IN ('r', 'p') AND NOT relispartition
                ORDER BY 1
                """)
            var rows: [String: [String]] = [:]
            for table in (0..<tables.rowCount).compactMap({ tables.string($0, 0) }) {
                // Of a value that several want, who comes first in its list depends on the batches.
                let own =
                    ["slot", "batch_id", "spool_id", "sequence", "dead_at", "parked_at", "seen_at", "version_id"]
                    + (table.hasSuffix("dead_letters") || table.hasSuffix("parked") ? ["id"] : [])
                    + (table.hasSuffix("__values") ? ["millrace_nth"] : [])
                    // A revision, which rises with each batch that changes something.
                    + (table.hasSuffix("product_changes") ? ["n"] : [])
                let found = try connection.execute(
                    """
                    SELECT (to_jsonb(t)\(own.map { " - '\($0)'" }.joined()))::text
                    FROM \(table) AS t
                    -- What came and went counts as none, whether a batch had both or one each.
                    WHERE tenant_id = \(tenant) AND to_jsonb(t) -> 'n' IS DISTINCT FROM '0'
                    ORDER BY 1
                    """)
                rows[table] = (0..<found.rowCount).compactMap { found.string($0, 0) }
            }
            return rows
        }
    }

    /// `MILLRACE_STREAM_SEED` says which streams.
    @Test func `each of two tenants that send the same has what it has when it is alone`() throws {
        let given = ProcessInfo.processInfo.environment["MILLRACE_STREAM_SEED"].flatMap { UInt64($0) }
        let seed = given ?? UInt64.random(in: 0...UInt64(UInt32.max))
        var random = SeededGenerator(seed: seed)
        let lines = try Self.stream(count: 900, using: &random)
        var own: [Int32: [Lines]] = [:]
        for tenant in Self.tenants {
            own[tenant] = Self.records(of: lines.shuffled(using: &random), tenant: tenant, using: &random)
        }
        let both = try Rig("tenants both")
        // In the order that each has them.
        var left = own
        var mixed: [Lines] = []
        while let tenant = left.filter({ !$0.value.isEmpty }).keys.sorted().randomElement(using: &random) {
            if let next = left[tenant]?.removeFirst() { mixed.append(next) }
        }
        let staged = try both.write(Self.batches(of: mixed, using: &random))
        #expect(staged > 0)
        for tenant in Self.tenants {
            let alone = try Rig("tenants \(tenant)")
            _ = try alone.write(Self.batches(of: own[tenant] ?? [], using: &random))
            let (should, found) = try (alone.rows(of: tenant), both.rows(of: tenant))
            #expect(Set(should.keys) == Set(found.keys))
            for (table, rows) in should where found[table] != rows {
                let missing = Set(rows).subtracting(found[table] ?? []).sorted().prefix(2)
                let extra = Set(found[table] ?? []).subtracting(rows).sorted().prefix(2)
                Issue.record("seed \(seed), tenant \(tenant), \(table): should have \(missing), has \(extra)")
            }
            for table in [
                "public.analytics_events", "public.conversations", "public.event_ids", "public.dead_letters",
                "public.conversation_statuses", "projections.parked", "projections.workspaces_users",
            ] {
                #expect(found[table]?.isEmpty == false, "\(table) has nothing of tenant \(tenant)")
            }
        }
    }

    // MARK: - The stream

    private static func batches(of records: [Lines], using random: inout SeededGenerator) -> [[Lines]] {
        var batches: [[Lines]] = []
        var rest = records[...]
        while !rest.isEmpty {
            let count = Int.random(in: 1...6, using: &random)
            batches.append(Array(rest.prefix(count)))
            rest = rest.dropFirst(count)
        }
        return batches
    }

    private static func records(
        of lines: [(kind: RecordKind, text: String)], tenant: Int32, using random: inout SeededGenerator
    ) -> [Lines] {
        let start = Timestamp.now.advanced(by: .seconds(-3600))
        var records: [Lines] = []
        for (kind, text) in lines {
            if let last = records.last, last.kind == kind, last.lines.count < Int.random(in: 1...20, using: &random) {
                records[records.count - 1].lines.append(text)
            } else {
                let receivedAt = start.advanced(by: .milliseconds(records.count))
                records.append(Lines(tenant: tenant, kind: kind, receivedAt: receivedAt, lines: [text]))
            }
        }
        return records
    }

    /// Of the types that the packs' seeds have, with few keys, ids and times, so that they meet.
    private static func stream(
        count: Int, using random: inout SeededGenerator
    ) throws -> [(kind: RecordKind, text: String)] {
        let root = "/" + #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
        var byType: [String: [[String: Any]]] = [:]
        for pack in packs {
            let seed = FileManager.default.contents(atPath: "\(root)/sql/packs/\(pack)/seed.ndjson") ?? Data()
            for line in seed.split(separator: UInt8(ascii: "\n")) {
                guard let object = try JSONSerialization.jsonObject(with: line) as? [String: Any] else { continue }
                byType[object["event_type"] as? String ?? "", default: []].append(object)
            }
        }
        byType["conversations.conversation_deleted"] = [["payload": ["conversation_id": "c-1"]]]
        byType["poison"] = [["payload": [:]]]
        let types = byType.keys.sorted()
        var lines: [(kind: RecordKind, text: String)] = []
        for _ in 0..<count {
            guard let type = types.randomElement(using: &random), let examples = byType[type],
                var object = examples.randomElement(using: &random)
            else { continue }
            let minutes = Int64.random(in: 1...400, using: &random)
            let time = Timestamp.now.microseconds / 3_600_000_000 * 3_600_000_000 - minutes * 3_600_000_000
            if type.isEmpty {
                object["conversation_id"] = "c-\(Int.random(in: 0..<5, using: &random))"
                object["timestamp"] = Timestamp(microseconds: time).rfc3339
                object["question"] = "question \(Int.random(in: 0..<40, using: &random))"
            } else {
                object["event_type"] = type
                object["id"] =
                    "00000000-0000-4000-8000-\(100_000_000_000 + Int.random(in: 0..<count / 2, using: &random))"
                object["created_at"] =
                    Int.random(in: 0..<8, using: &random) == 0 ? nil : Timestamp(microseconds: time).rfc3339
                if var payload = object["payload"] as? [String: Any] {
                    for name in ["email", "username", "idempotency_key", "token"] where payload[name] != nil {
                        payload[name] = "\(name)-\(Int.random(in: 0..<4, using: &random))@example.org"
                    }
                    object["payload"] = payload
                }
            }
            let text = try JSONSerialization.data(withJSONObject: object, options: .sortedKeys)
            lines.append((type.isEmpty ? .conversation : .event, String(decoding: text, as: UTF8.self)))
        }
        return lines
    }
}
