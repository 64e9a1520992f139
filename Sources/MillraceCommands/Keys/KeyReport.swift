internal import MillraceAccess
internal import MillraceConsole
internal import MillraceEvent
internal import MillraceJSON
internal import MillracePostgres

/// A key as reports have it: never its secret, nor the secret's hash.
struct KeyReport: Encodable {
    enum State: String, Encodable {
        case inForce = "in_force"
        /// Another one was made for it; it still opens until `revokedAt`.
        case rotating
        case revoked
        case expired
    }

    var id: String
    /// The whole key, in the one report of its making.
    var key: String?
    var name: String
    var state: State
    var tenant: Int32
    var scopes: [AccessScope]
    /// Empty: all.
    var types: [String]
    /// Events a second; nil: unlimited.
    var rate: Int?
    var burst: Int?
    var byteRate: Int?
    var byteBurst: Int?
    /// RFC 3339.
    var expiresAt: String?
    var revokedAt: String?
    var origins: [String]
    var clientSubject: String?
    var replaces: String?
    var createdAt: String
    var createdBy: String

    init(_ stored: StoredKey, at now: Timestamp, key: String? = nil) {
        let record = stored.record
        id = record.id
        self.key = key
        name = record.name
        tenant = record.tenant
        scopes = AccessScope.allCases.filter { record.scopes.contains($0) }
        types = record.eventTypes
        rate = record.events.perSecond
        burst = record.events.burst
        byteRate = record.bytes.perSecond
        byteBurst = record.bytes.burst
        expiresAt = record.expiresAt.map { Timestamp(microseconds: $0).rfc3339 }
        revokedAt = record.revokedAt.map { Timestamp(microseconds: $0).rfc3339 }
        origins = record.origins
        clientSubject = record.clientSubject
        replaces = stored.replaces
        createdAt = Timestamp(microseconds: stored.createdAt).rfc3339
        createdBy = stored.createdBy
        state =
            if let end = record.revokedAt, end <= now.microseconds {
                .revoked
            } else if let end = record.expiresAt,
                end <= now.microseconds
            { .expired } else { record.revokedAt == nil ? .inForce : .rotating }
    }

    /// For the audit log: what it opens, and when it ends.
    var audited: JSONValue {
        var members: [(String, JSONValue)] = [
            ("name", .string(name)), ("tenant", .integer(Int(tenant))), ("scopes", .strings(scopes.map(\.rawValue))),
            ("types", .strings(types)), ("origins", .strings(origins)),
        ]
        for (name, number) in [
            ("rate", rate), ("burst", burst), ("byte_rate", byteRate), ("byte_burst", byteBurst),
        ] {
            if let number { members.append((name, .integer(number))) }
        }
        for (name, text) in [
            ("expires_at", expiresAt), ("revoked_at", revokedAt), ("client_subject", clientSubject),
            ("replaces", replaces),
        ] {
            if let text { members.append((name, .string(text))) }
        }
        return .object(members)
    }

    /// A row of the table for people.
    var row: [String] {
        let rates = [
            rate.map { "\(Format.count($0)) events/s" }, byteRate.map { "\(Format.size($0))/s" },
        ].compactMap { $0 }
        return [
            id, name, "\(tenant)", scopes.map(\.rawValue).joined(separator: ","), types.joined(separator: ","),
            rates.joined(separator: ", "), expiresAt.map(Self.minute) ?? "", standing,
        ]
    }

    static let columns = ["id", "name", "tenant", "scopes", "types", "rate", "expires (UTC)", "state"]

    private var standing: String {
        switch state {
        case .inForce: "in force"
        case .rotating: "in force until \(revokedAt.map(Self.minute) ?? "")"
        case .revoked, .expired: state.rawValue
        }
    }

    private static func minute(_ time: String) -> String {
        String(time.prefix(16)).replacing("T", with: " ")
    }
}
