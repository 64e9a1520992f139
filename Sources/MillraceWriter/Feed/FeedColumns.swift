internal import MillraceChannels
import MillraceEvent
import MillracePostgres
import MillraceProjections

/// Where a row of binary COPY has the columns of an event that readers are shown.
struct FeedColumns: Sendable {
    private let id: Int
    private let tenant: Int
    private let type: Int
    private let userID: Int
    private let payload: Int
    private let createdAt: Int
    private let receivedAt: Int

    static let events = FeedColumns()

    private init() {
        func index(of name: String) -> Int {
            guard let index = PartitionedTable.analyticsEvents.columns.firstIndex(of: name) else {
                preconditionFailure("analytics_events has no column \(name)")
            }
            return index
        }
        id = index(of: "id")
        tenant = index(of: "tenant_id")
        type = index(of: "event_type")
        userID = index(of: "user_id")
        payload = index(of: "payload")
        createdAt = index(of: "created_at")
        receivedAt = index(of: "received_at")
    }

    /// Passes on what the row's columns hold; nothing where one is NULL that never is.
    func withRow(_ row: CopyRows, _ batchID: Int64, _ body: (FeedRow) -> Void) {
        guard let id = row.value(ofColumn: id).map(Self.uuid), let tenant = row.value(ofColumn: tenant),
            let type = row.value(ofColumn: type), let payload = row.value(ofColumn: payload),
            let createdAt = row.value(ofColumn: createdAt).map(Self.time),
            let receivedAt = row.value(ofColumn: receivedAt).map(Self.time)
        else { return }
        body(
            FeedRow(
                tenant: Int32(bigEndian: tenant.loadUnaligned(as: Int32.self)), type: type,
                userID: row.value(ofColumn: userID).map(Self.uuid),
                // After the version of jsonb's binary form.
                payload: UnsafeRawBufferPointer(rebasing: payload.dropFirst()), id: id, createdAt: createdAt,
                receivedAt: receivedAt, batchID: batchID))
    }

    private static func uuid(_ value: UnsafeRawBufferPointer) -> UniqueID {
        UniqueID(
            high: UInt64(bigEndian: value.loadUnaligned(as: UInt64.self)),
            low: UInt64(bigEndian: value.loadUnaligned(fromByteOffset: 8, as: UInt64.self)))
    }

    private static func time(_ value: UnsafeRawBufferPointer) -> Timestamp {
        Timestamp(microseconds: Int64(bigEndian: value.loadUnaligned(as: Int64.self)) + Timestamp.postgresEpoch)
    }
}
