internal import MillraceEvent
internal import MillraceJSON

/// What a conversation save says of its status, in any of the ways that exports have.
struct SaveStatus {
    /// Whether the save says anything of it; null is something.
    private(set) var isSaid = false
    private var named: String?
    private var flags: [Flag: Bool] = [:]
    private var times: [String: Timestamp] = [:]

    private enum Flag: String {
        case deleted, archived, active
    }

    private static let flagNames: [String: Flag] = [
        "is_deleted": .deleted, "deleted": .deleted, "is_archived": .archived, "archived": .archived,
        "is_active": .active, "active": .active,
    ]
    private static let lengthMax = 50

    /// Takes a member that says something of the status; returns whether the save's metadata keeps it, nil when it says
    /// nothing. `name`: in snake_case.
    mutating func take(_ name: String, _ value: ArraySlice<UInt8>) throws(RecordRefusal) -> Bool? {
        switch name {
        case "status":
            guard !JSONScanner.isNull(value) else { return false }
            let text = value.first == UInt8(ascii: "\"") ? JSONString.text(of: value) : ""
            guard (1...Self.lengthMax).contains(text.unicodeScalars.count) else {
                throw RecordRefusal("invalid_status", "status is no text of 1 to \(Self.lengthMax) characters")
            }
            named = text.lowercased()
        case "deleted_at", "archived_at", "updated_at":
            if name != "updated_at" { isSaid = true }
            guard !JSONScanner.isNull(value) else { return false }
            guard let time = RecordTime.parse(value) else {
                throw RecordRefusal("invalid_\(name)", "\(name) is no time such as 2026-01-31T12:00:00Z")
            }
            times[name] = time
            return true
        default:
            guard let flag = Self.flagNames[name] else { return nil }
            guard !JSONScanner.isNull(value) else { return false }
            switch String(decoding: value, as: UTF8.self) {
            case "true", "1", "\"true\"", "\"1\"": flags[flag] = true
            case "false", "0", "\"false\"", "\"0\"": flags[flag] = false
            default: throw RecordRefusal("invalid_\(name)", "\(name) is neither true nor false")
            }
        }
        isSaid = true
        return false
    }

    /// A deletion counts before anything else, and then what archives.
    var status: String {
        if flags[.deleted] == true || times["deleted_at"] != nil { return "deleted" }
        if flags[.archived] == true || times["archived_at"] != nil { return "archived" }
        if let named { return named }
        return flags[.active] == false ? "inactive" : "active"
    }

    /// When that was so; `fileTime` where nothing says it. After the save, which is of `savedAt`.
    func time(savedAt: Timestamp, fileTime: Timestamp) -> Timestamp {
        let own =
            switch status {
            case "deleted": times["deleted_at"] ?? times["updated_at"]
            case "archived": times["archived_at"] ?? times["updated_at"]
            default: times["updated_at"]
            }
        return max(own ?? fileTime, savedAt.advanced(by: .microseconds(1)))
    }
}
