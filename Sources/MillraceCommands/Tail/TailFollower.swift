internal import FoundationEssentials
internal import MillraceConsole
internal import MillraceJSON
internal import MillraceTelemetry

/// Makes lines of what a stream of `/v1/tail` says: each event once, over reconnections too. A value without I/O.
struct TailFollower {
    enum Line: Equatable {
        case event(String)
        /// For standard error.
        case note(String)
    }

    private struct Dropped: Decodable {
        var count: Int?
        var total: Int
    }

    private struct Ended: Decodable {
        var reason: String
        var message: String
    }

    /// Ids that are remembered: more than a stream begins with after a reconnection.
    private static let knownMax = 20_000

    private let isJSON: Bool
    private let limit: Int?
    private var count = 0
    /// Ids of the latest events, each in one of both; the older ones go together.
    private var known: (older: Set<String>, newer: Set<String>) = ([], [])
    private var isLost = false

    /// `limit`: events after which it is done; nil: never.
    init(isJSON: Bool, limit: Int? = nil) {
        self.isJSON = isJSON
        self.limit = limit
    }

    var isDone: Bool { limit.map { count >= $0 } ?? false }

    /// What is to be shown of it.
    mutating func take(_ step: EventStreamSession.Step) -> [Line] {
        switch step {
        case .idle: return []
        case .connected:
            defer { isLost = false }
            return isLost ? [.note("connected again")] : []
        case .lost(let error):
            defer { isLost = true }
            // Once: each further try fails for much the same reason.
            return isLost ? [] : [.note("\(error.message); it is tried again")]
        case .message(let message): return take(message)
        }
    }

    private mutating func take(_ message: EventStreamParser.Message) -> [Line] {
        switch message.name {
        case "message": return event(message.data)
        case "dropped":
            let dropped = try? JSONDecoder().decode(Dropped.self, from: Data(message.data.utf8))
            let count = dropped?.count.map { Format.count($0) } ?? "some"
            return [.note("\(count) events are not shown: they came faster than they were read, or were too many")]
        case "end":
            let ended = try? JSONDecoder().decode(Ended.self, from: Data(message.data.utf8))
            return ended.map { [.note($0.message)] } ?? []
        default: return []
        }
    }

    private mutating func event(_ json: String) -> [Line] {
        guard !isDone else { return [] }
        guard let event = TailedEvent(json) else { return [.note("the daemon sent something that is no event")] }
        guard !known.older.contains(event.id), known.newer.insert(event.id).inserted else { return [] }
        if known.newer.count >= Self.knownMax / 2 { known = (known.newer, []) }
        count += 1
        return [.event(isJSON ? json : event.text)]
    }
}

/// An event as the stream shows it.
struct TailedEvent {
    let id: String
    private let type: String
    private let userID: String?
    private let createdAt: String
    /// JSON.
    private let payload: String

    /// Nil for what is none.
    init?(_ json: String) {
        let bytes = Array(json.utf8)
        var members: [String: ArraySlice<UInt8>] = [:]
        for member in JSONScanner.members(bytes[...]) { members[member.name] = member.value }
        func text(_ name: String) -> String? {
            members[name].flatMap { $0.first == UInt8(ascii: "\"") ? JSONString.text(of: $0) : nil }
        }
        guard let id = text("id"), let type = text("event_type"), let createdAt = text("created_at"),
            let payload = members["payload"]
        else { return nil }
        self.id = id
        self.type = type
        self.createdAt = createdAt
        userID = text("user_id")
        self.payload = String(decoding: payload, as: UTF8.self)
    }

    /// For people, in one line that does nothing to a terminal.
    var text: String {
        let user = userID.map { "  user \($0)" } ?? ""
        return TerminalText.line("\(createdAt)  \(type)\(user)\(payload == "{}" ? "" : "  \(payload)")")
    }
}
