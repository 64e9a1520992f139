import MillraceEvent
import MillraceTestSupport

/// What the house pack's tables must hold: each event applied in order, as a database with ON DELETE CASCADE would.
struct HouseModel {
    /// An event of the pack.
    struct Event {
        enum Change {
            case house(Int, saved: Bool)
            case room(Int, house: Int?, kind: String)
            case roomDeleted(Int)
            /// nil: not named.
            case roomChanged(Int, house: Int??, kind: String?)
            case lampChanged(String, house: Int??, room: Int??)
            case lamp(String, house: Int?, room: Int?, watts: Int)
            case lampDeleted(String)
            case thing(room: Int?, text: String)
        }

        var tenant: Int32
        /// In microseconds since 1970.
        var time: Int64
        var id: UniqueID
        var change: Change

        var type: String {
            switch change {
            case .house(_, let saved): saved ? "house.saved" : "house.deleted"
            case .room: "room.saved"
            case .roomDeleted: "room.deleted"
            case .roomChanged: "room.changed"
            case .lampChanged: "lamp.changed"
            case .lamp: "lamp.saved"
            case .lampDeleted: "lamp.deleted"
            case .thing: "thing.put"
            }
        }

        var payload: String {
            switch change {
            case .house(let id, _): #"{"id":\#(id),"name":"house \#(id)"}"#
            case .room(let id, let house, let kind): #"{"id":\#(id),"house":\#(text(house)),"kind":"\#(kind)"}"#
            case .roomDeleted(let id): #"{"id":\#(id)}"#
            case .roomChanged(let id, let house, let kind):
                #"{"id":\#(id)\#(member("house", house))\#(kind.map { #","kind":"\#($0)""# } ?? "")}"#
            case .lampChanged(let id, let house, let room):
                #"{"id":"\#(id)"\#(member("house", house))\#(member("room", room))}"#
            case .lamp(let id, let house, let room, let watts):
                #"{"id":"\#(id)","house":\#(text(house)),"room":\#(text(room)),"watts":\#(watts)}"#
            case .lampDeleted(let id): #"{"id":"\#(id)"}"#
            case .thing(let room, let text): #"{"room":\#(self.text(room)),"text":"\#(text)"}"#
            }
        }

        private func member(_ name: String, _ value: Int??) -> String {
            value.map { #","\#(name)":\#(text($0))"# } ?? ""
        }

        private func text(_ number: Int?) -> String { number.map(String.init) ?? "null" }
    }

    private struct Key: Hashable {
        var tenant: Int32
        var id: String
    }

    private struct Row {
        var house: Int?
        var room: Int?
        var event: Int64
        var deleted: Int64?
    }

    private var houses: [Key: Row] = [:]
    private var rooms: [Key: Row] = [:]
    private var lamps: [Key: Row] = [:]
    private var things: [(tenant: Int32, text: String, row: Row)] = []

    init(_ events: [Event]) {
        let order = events.sorted { ($0.time, $0.id.high, $0.id.low) < ($1.time, $1.id.high, $1.id.low) }
        for event in order { apply(event) }
    }

    private mutating func apply(_ event: Event) {
        let (tenant, time) = (event.tenant, event.time)
        switch event.change {
        case .house(let id, let saved):
            houses[Key(tenant: tenant, id: "\(id)")] = Row(event: time, deleted: saved ? nil : time)
            guard !saved else { return }
            // First what goes with its rooms, so that a lamp of both is deleted once.
            for (key, row) in rooms where key.tenant == tenant && row.house == id {
                rooms[key]?.deleted = row.deleted ?? time
                leave(tenant: tenant, room: Int(key.id) ?? 0, time)
            }
            for (key, row) in lamps where key.tenant == tenant && row.house == id {
                lamps[key]?.deleted = row.deleted ?? time
            }
        case .room(let id, let house, _):
            rooms[Key(tenant: tenant, id: "\(id)")] = Row(house: house, event: time)
        case .roomDeleted(let id):
            rooms[Key(tenant: tenant, id: "\(id)")] = Row(event: time, deleted: time)
            leave(tenant: tenant, room: id, time)
        case .roomChanged(let id, let house, _):
            let key = Key(tenant: tenant, id: "\(id)")
            guard let row = rooms[key], row.deleted == nil else { return }
            rooms[key] = Row(house: house ?? row.house, event: time)
        case .lampChanged(let id, let house, let room):
            let key = Key(tenant: tenant, id: id)
            guard let row = lamps[key], row.deleted == nil else { return }
            lamps[key] = Row(house: house ?? row.house, room: room ?? row.room, event: time)
        case .lamp(let id, let house, let room, _):
            lamps[Key(tenant: tenant, id: id)] = Row(house: house, room: room, event: time)
        case .lampDeleted(let id):
            lamps[Key(tenant: tenant, id: id)] = Row(event: time, deleted: time)
        case .thing(let room, let text):
            things.append((tenant, text, Row(room: room, event: time)))
        }
    }

    private mutating func leave(tenant: Int32, room: Int, _ time: Int64) {
        for index in things.indices where things[index].tenant == tenant && things[index].row.room == room {
            things[index].row.deleted = things[index].row.deleted ?? time
        }
        for (key, row) in lamps where key.tenant == tenant && row.room == room {
            lamps[key]?.deleted = row.deleted ?? time
        }
    }

    /// Of every row: table, tenant, key, time of its event and of its end, in microseconds since 1970.
    var rows: [String] {
        func line(_ table: String, _ key: Key, _ row: Row) -> String {
            "\(table) \(key.tenant) \(key.id) \(row.event) \(row.deleted.map(String.init) ?? "-")"
        }
        return
            (houses.map { line("houses", $0, $1) } + rooms.map { line("rooms", $0, $1) }
            + lamps.map { line("lamps", $0, $1) }
            + things.map { line("things", Key(tenant: $0.tenant, id: $0.text), $0.row) }).sorted()
    }

    /// The same of the tables.
    static func rows(_ rig: FoldRig) throws -> [String] {
        func micros(_ column: String) -> String { "(extract(epoch FROM \(column)) * 1000000)::bigint" }
        let parts = [("houses", "id"), ("rooms", "id"), ("lamps", "id"), ("things", "text")].map { table, key in
            """
            SELECT concat_ws(
                ' ', '\(table)', tenant_id, \(key), \(micros("event_at")), coalesce(\(micros("deleted_at"))::text, '-'))
            FROM projections.house_\(table)
            """
        }
        return try rig.strings(parts.joined(separator: " UNION ALL ")).sorted()
    }

    /// Of few houses, rooms and lamps, at few times, so that they meet.
    static func random(
        _ count: Int, hasPatches: Bool = false, using generator: inout SeededGenerator
    ) -> [Event] {
        (0..<count).map { number in
            func one(of count: Int) -> Int { Int.random(in: 1...count, using: &generator) }
            let house = one(of: 10) == 1 ? nil : one(of: 4)
            let room = one(of: 10) == 1 ? nil : one(of: 8)
            let change: Event.Change =
                switch one(of: 20) {
                case 1...2: .house(one(of: 4), saved: false)
                case 3: .house(one(of: 4), saved: true)
                case 4...8: .room(one(of: 8), house: house, kind: one(of: 2) == 1 ? "bath" : "hall")
                case 9: .roomDeleted(one(of: 8))
                case 10...13: .lamp("lamp \(one(of: 12))", house: house, room: room, watts: one(of: 60))
                case 14: .lampDeleted("lamp \(one(of: 12))")
                case 15...16 where hasPatches:
                    .roomChanged(
                        one(of: 8), house: one(of: 3) == 1 ? .some(house) : nil, kind: one(of: 2) == 1 ? "attic" : nil)
                case 17...18 where hasPatches:
                    .lampChanged(
                        "lamp \(one(of: 12))", house: one(of: 3) == 1 ? .some(house) : nil,
                        room: one(of: 3) == 1 ? .some(room) : nil)
                default: .thing(room: room, text: "thing-\(number)")
                }
            let time: Int64 = 1_795_000_000_000_000 + Int64(one(of: 60)) * 60_000_000
            return Event(
                tenant: one(of: 8) == 1 ? 1 : 0, time: time,
                id: UniqueID(high: generator.next(), low: generator.next()), change: change)
        }
    }
}
