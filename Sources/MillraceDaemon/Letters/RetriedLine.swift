internal import CMillrace
package import MillraceEvent
package import MillracePostgres

/// A letter whose line parses, and its row.
struct RetriedLine {
    /// The month that the row belongs to.
    struct Month: Hashable {
        var table: PartitionedTable
        var month: PartitionMonth

        var name: String { table.partitionName(month) }

        /// nil beyond the years that have months.
        init?(_ line: RetriedLine) {
            guard let month = PartitionMonth(microseconds: line.row.createdAt.microseconds) else { return nil }
            self.month = month
            table = line.row.table
        }
    }

    /// Where the letter stands in its page.
    var index: Int
    var letter: StoredLetter
    var row: ParsedRow
}

/// A parsed line as the values of its row: the ones that its batch would have written.
package struct ParsedRow {
    /// Beyond id, created_at, received_at, tenant_id and batch_id.
    package struct Column {
        var name: String
        var type: String
        /// nil is NULL.
        package var value: String?
    }

    package var table: PartitionedTable
    var id: UniqueID
    package var createdAt: Timestamp
    /// An id came without any time: `event_ids` decides whether it is new.
    var needsEventID = false
    /// In their order: of an event its type first.
    package var columns: [Column]

    /// - Parameter sequence: of the line in its spool; an event without an id gets the one that this gives.
    package init(_ line: ParsedLine, tenant: Int32, spoolID: UniqueID, sequence: UInt64) {
        switch line {
        case .event(let event):
            table = .analyticsEvents
            id = event.id ?? Self.derivedID(spoolID, sequence, event.createdAt)
            createdAt = event.createdAt
            needsEventID = event.id != nil && !event.isTimeKnown
            columns = [
                Column(name: "event_type", type: "text", value: event.eventType),
                Column(name: "user_id", type: "uuid", value: event.userID?.description),
                Column(name: "payload", type: "jsonb", value: event.payload),
            ]
        case .conversation(let save):
            table = .conversations
            id = save.id(tenant: tenant)
            createdAt = save.createdAt
            columns = [
                Column(name: "conversation_id", type: "text", value: save.conversationID),
                Column(name: "user_id", type: "uuid", value: save.userID.description),
                Column(name: "question", type: "text", value: save.question),
                Column(name: "response", type: "text", value: save.response),
                Column(name: "source", type: "text", value: save.source),
                Column(name: "metadata", type: "jsonb", value: save.metadata),
            ]
        }
    }

    /// What makes the row one of its kind in its tenant: `event_ids` knows ids alone.
    var identity: String { needsEventID ? "\(id)" : "\(table.rawValue) \(key)" }

    /// As the INSERTs return it.
    var key: String { "\(id) \(createdAt.microseconds)" }

    private static func derivedID(_ spoolID: UniqueID, _ sequence: UInt64, _ createdAt: Timestamp) -> UniqueID {
        var bytes = [UInt8](repeating: 0, count: 16)
        mr_event_id(spoolID.high, spoolID.low, sequence, createdAt.microseconds, &bytes)
        return UniqueID(bytes: bytes) ?? UniqueID(high: 0, low: 0)
    }
}
