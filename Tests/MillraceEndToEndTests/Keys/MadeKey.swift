import MillraceTestSupport

/// What `millrace keys` says of a key with `--json`.
struct MadeKey: Decodable, Equatable {
    var id: String
    var key: String?
    var name: String
    var state: String
    var tenant: Int
    var scopes: [String]
    var types: [String]
    var rate: Int?
    var burst: Int?
    var byteRate: Int?
    var byteBurst: Int?
    var expiresAt: String?
    var origins: [String]
    var clientSubject: String?
    var replaces: String?

    /// By `millrace keys create` on the daemon's configuration.
    static func create(on daemon: DaemonProcess, _ arguments: String...) throws -> MadeKey {
        try daemon.run(["keys", "create", "--json"] + arguments).report(MadeKey.self)
    }
}

extension HTTPClient {
    /// The status of one event's answer, sent with this key.
    func status(ofEvent type: String = "key.test", key: String?) throws -> Int {
        var headers = [("Content-Type", "application/json")]
        if let key { headers.append(("Authorization", "Bearer \(key)")) }
        return try request("POST", "/v1/events", headers: headers, body: Array(#"{"event_type":"\#(type)"}"#.utf8))
            .status
    }
}

extension DaemonProcess {
    /// The status of one event's answer, on a connection of its own.
    func status(key: String?) -> Int {
        (try? HTTPClient(http).status(ofEvent: "key.test", key: key)) ?? 0
    }
}
