package import MillraceEvent
package import MillraceJSON

/// Which events someone wants to see.
package struct FeedFilter: Sendable {
    package let tenant: Int32
    private let type: [UInt8]?
    private let userID: UniqueID?
    private let payload: JSONPattern?
    /// Names a password, which no reader can look for.
    private let isHopeless: Bool

    /// `type`: the whole event_type. `payload`: an object that the event's one is to contain.
    package init(tenant: Int32, type: String? = nil, userID: UniqueID? = nil, payload: JSONPattern? = nil) {
        self.tenant = tenant
        self.type = type.map { Array($0.utf8) }
        self.userID = userID
        self.payload = payload
        isHopeless = payload?.names.contains { FeedRow.isHidden($0) } ?? false
    }

    /// Every event of the tenant is wanted.
    package var takesAll: Bool { type == nil && userID == nil && payload == nil }

    package func matches(_ row: FeedRow) -> Bool {
        guard row.tenant == tenant, !isHopeless else { return false }
        if let type, !row.type.elementsEqual(type) { return false }
        if let userID, row.userID != userID { return false }
        guard let payload else { return true }
        return payload.isContained(in: Array(row.payload)[...])
    }
}
