import MillraceEvent
import MillraceTestSupport

/// Made-up events as rows of binary COPY, in the encoder's column order.
struct EventRows {
    static let columns = "id, tenant_id, event_type, user_id, payload, created_at, received_at, batch_id"

    /// Microseconds from 1970 to 2000.
    private static let epoch: Int64 = 946_684_800_000_000

    private(set) var rows: [[UInt8]] = []

    /// `createdAt`: in microseconds since 1970.
    mutating func append(
        _ type: String, _ payload: String?, user: UInt64?, createdAt: Int64, id: UniqueID, tenant: Int32 = 0
    ) {
        var row: [UInt8] = []
        func put(_ value: some FixedWidthInteger) { withUnsafeBytes(of: value.bigEndian) { row += $0 } }
        func field(_ bytes: [UInt8]?) {
            put(Int32(bytes?.count ?? -1))
            row += bytes ?? []
        }
        func time(_ value: Int64) {
            put(Int32(8))
            put(value - Self.epoch)
        }
        put(Int16(8))
        field(id.bytes)
        put(Int32(4))
        put(tenant)
        field(Array(type.utf8))
        field(user.map { UniqueID(high: 7, low: $0).bytes })
        field(payload.map { [1] + Array($0.utf8) })
        time(createdAt)
        time(createdAt)
        put(Int32(8))
        put(Int64(1))
        rows.append(row)
    }

    /// Orders that are saved, again and again, and deleted, lines, and other events.
    static func random(_ count: Int, using generator: inout SeededGenerator) -> EventRows {
        var rows = EventRows()
        let start: Int64 = 1_795_000_000_000_000
        for _ in 0..<count {
            let order = Int.random(in: 1...40, using: &generator)
            // Few distinct times, so that ids decide too.
            let createdAt = start + Int64.random(in: 0...400, using: &generator) * 3_600_000_000
            let id = UniqueID(high: generator.next(), low: generator.next())
            let user = Bool.random(using: &generator) ? UInt64.random(in: 1...30, using: &generator) : nil
            let tenant: Int32 = Int.random(in: 0...9, using: &generator) == 0 ? 1 : 0
            var members = ["\"id\":\(Bool.random(using: &generator) ? "\(order)" : "\"\(order)\"")"]
            let number = ["1", "1.0", "10e-1", "2.5", "\"1.00\"", "-0.0", "null"].randomElement(using: &generator)
            members.append("\"number\":\(number ?? "1")")
            if let total = ["12.345", "\"7\"", "1e2", "0.1"].randomElement(using: &generator) {
                members.append("\"total\":\(total)")
            }
            switch Int.random(in: 0...9, using: &generator) {
            case 0:
                rows.append(
                    "order.deleted", "{\(members[0])}", user: user, createdAt: createdAt, id: id, tenant: tenant)
            case 1...6:
                if let status = ["NEW", "PAID", "SENT", nil].randomElement(using: &generator) ?? nil {
                    members.append("\"status\":\"\(status)\"")
                }
                members.append("\"saved_at\":\"2026-11-\(10 + order % 9)T23:59:59.5+02:00\"")
                members.append(
                    "\"tags\":{\"note\":\"caf\\u00e9 \\\"\(order)\\\"\",\"a\":[1, {\"z\":1e1,\"z\":-0}],\"\":null}")
                rows.append(
                    "order.saved", "{\(members.shuffled(using: &generator).joined(separator: " , "))}", user: user,
                    createdAt: createdAt, id: id, tenant: tenant)
            case 7:
                rows.append(
                    "line.added", "{\(members[0]),\"text\":null}", user: user, createdAt: createdAt, id: id,
                    tenant: tenant)
            case 8:
                rows.append(
                    "line.added", "{\(members[0]),\"text\":\"line\\n\(order)\"}", user: user, createdAt: createdAt,
                    id: id, tenant: tenant)
            default:
                rows.append("page.viewed", "{\(members[1])}", user: user, createdAt: createdAt, id: id, tenant: tenant)
            }
        }
        return rows
    }

    func shuffled(using generator: inout SeededGenerator) -> EventRows {
        var rows = self
        rows.rows.shuffle(using: &generator)
        return rows
    }
}
