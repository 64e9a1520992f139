internal import MillraceChannels
internal import MillraceEvent
internal import MillracePostgres
internal import MillraceRoutes
internal import NIOCore

/// Reads what a stream of `/v1/tail` begins with: the latest events of the past, out of the table that the writers fill
/// (never of a replica, which may lag behind what the stream then shows).
struct TailPast: Sendable {
    struct Found: Sendable {
        /// Oldest first.
        var events: [FeedEvent] = []
        /// There were more, or they could not be read.
        var isTruncated: Bool
        /// Holds the budget's bytes until the events are sent.
        var memory: MemoryReservation?
    }

    let parameters: RequestParameters
    let rowsMax: Int
    let reading: Reading

    /// How much later a batch may be committed than one that was made after it: two writers' batches overtake each other.
    private static let overlap = Duration.seconds(10)
    /// Without a time, as `GET /v1/events` looks back.
    private static let length = Duration.seconds(31 * 86_400)
    private static let ahead = Duration.seconds(86_400)

    /// Events whose `created_at` is no earlier. Throws `APIProblem`, and errors of the pool.
    func read(since: Timestamp) async throws -> Found {
        let range = TimeRange(from: since.rfc3339, to: Timestamp.now.advanced(by: Self.ahead).rfc3339)
        return try await read(range, after: nil)
    }

    /// Events of batches that were made after that one, or shortly before it, whose events may have been shown already.
    func read(after batchID: Int64) async throws -> Found {
        let now = Timestamp.now
        let range = TimeRange(
            from: now.advanced(by: .zero - Self.length).rfc3339, to: now.advanced(by: Self.ahead).rfc3339)
        let first = BatchID.first(at: BatchID.time(of: batchID).advanced(by: .zero - Self.overlap))
        return try await read(range, after: first)
    }

    private func read(_ range: TimeRange, after batchID: Int64?) async throws -> Found {
        guard rowsMax > 0 else { return Found(isTruncated: true) }
        let wanted = statement(range, after: batchID)
        let configuration = reading.configuration
        let (rowsMax, tenant) = (rowsMax, parameters.tenant)
        return try await reading.writing.read(.tail, of: tenant) { connection in
            let memory = MemoryReservation(configuration.memory, for: .streams)
            var found = Found(isTruncated: false, memory: memory)
            var writer: ResultRows?
            var bytes = 0
            try wanted.run(on: connection) { row in
                guard found.events.count < rowsMax, bytes < configuration.api.pageBytes else {
                    found.isTruncated = true
                    return false
                }
                // With the row as it came, twice: libpq's buffer, and its result.
                try memory.require(bytes + 3 * row.byteCount)
                let rows = writer ?? ResultRows(row, count: row.columnCount - 1)
                writer = rows
                // One that is too large to be read is not shown, and told as missing.
                guard let guarded = EventRow.columns.guardedIndex, row.withBytes(0, guarded, { $0 != nil }),
                    let id = row.string(0, 0).flatMap({ UniqueID($0) }),
                    let batchID = row.string(0, row.columnCount - 1).flatMap({ Int64($0) })
                else {
                    found.isTruncated = true
                    return true
                }
                var json = ByteBuffer()
                rows.write(0, of: row, to: &json)
                bytes += json.readableBytes
                found.events.append(FeedEvent(id: id, batchID: batchID, json: Array(json.readableBytesView)))
                return true
            }
            memory.count(bytes)
            found.events.reverse()
            return found
        }
    }

    private func statement(_ range: TimeRange, after batchID: Int64?) -> SQLStatement {
        let columns = EventRow.columns.list(documentBytesMax: reading.configuration.limits.payloadTextBytes)
        var statement = SQLStatement("SELECT \(columns), batch_id FROM public.analytics_events")
        statement.append("WHERE " + range.condition(on: "created_at", in: &statement))
        statement.append("AND tenant_id = \(parameters.tenant)")
        if let type = parameters.text("type") {
            statement.append("AND event_type = \(statement.bind(type, as: "text", named: "type"))")
        }
        if let user = parameters.text("user_id") {
            statement.append("AND user_id = \(statement.bind(user, as: "uuid", named: "user_id"))")
        }
        if let payload = parameters.text("payload") {
            let place = statement.bind(payload, as: "jsonb", named: "payload")
            statement.append("AND payload @> \(place) AND NOT \(place.namesPassword)")
        }
        if let batchID {
            statement.append("AND batch_id >= \(batchID)")
            statement.append("ORDER BY batch_id DESC, created_at DESC, id DESC")
        } else {
            statement.append("ORDER BY created_at DESC, id DESC")
        }
        statement.append("LIMIT \(rowsMax + 1)")
        return statement
    }
}
