import MillracePostgres
import MillraceTestSupport

/// A daemon that encrypts, and who may read it.
struct FieldsInstallation {
    static let user = "0192b1a4-7c3e-7a51-9f0e-2d6c1b8e4f70"

    let installation: Installation
    let keysFile: String
    private let scratch: ScratchDirectory
    let write: String
    let read: String
    let decrypt: String

    var daemon: DaemonProcess { installation.daemon }
    var auditor: Auditor { installation.auditor }

    /// `settings`: beside the file of keys. `hasKeys`: false where none is wanted of anyone. `rules`: of `rules.file`. Started.
    init(
        _ name: String = #function, cluster: TestCluster? = nil, settings: [String: String], hasKeys: Bool = true,
        rules: String? = nil
    ) throws {
        scratch = try ScratchDirectory()
        keysFile = scratch.path + "/fields.keys"
        var settings = settings
        if let rules {
            settings["rules.file"] = DaemonSettings.quoted(scratch.path + "/rules.toml")
            try TextFile.write(rules, to: scratch.path + "/rules.toml")
        }
        settings["fields.keys_file"] = DaemonSettings.quoted(keysFile)
        installation = try Installation(name, cluster: cluster, settings: settings)
        let made = try CommandRun(["fields", "keys", "--id", "first"], in: scratch)
        guard made.isSuccess else { throw TestSupportError(message: made.errors) }
        try TextFile.write(made.output, to: keysFile)
        func key(_ scope: String, _ daemon: DaemonProcess) throws -> String {
            guard hasKeys else { return BearerToken(subject: Self.user, role: "service_role").text }
            return try daemon.run("keys", "create", "--scope", scope).output.split(separator: "\n").joined()
        }
        let daemon = installation.daemon
        (write, read, decrypt) = try (key("write", daemon), key("read", daemon), key("decrypt", daemon))
        try daemon.start()
        let key = hasKeys ? write : nil
        guard eventually({ daemon.status(key: key) == 202 }) else {
            throw TestSupportError(message: "the key does not write: \(daemon.log.suffix(2000))")
        }
    }

    /// Puts a new key in front of the others.
    func rotate(id: String) throws {
        let made = try CommandRun(["fields", "keys", "--id", id, "--rotate", keysFile], in: scratch)
        guard made.isSuccess else { throw TestSupportError(message: made.errors) }
        try TextFile.write(made.output, to: keysFile)
    }

    private func headers(_ key: String) -> [(String, String)] {
        [("Content-Type", "application/json")] + (key.isEmpty ? [] : [("Authorization", "Bearer \(key)")])
    }

    /// Committed before it returns.
    func post(_ line: String) throws {
        let answer = try HTTPClient(daemon.http).request(
            "POST", "/v1/events?ack=committed",
            headers: headers(write), body: Array(line.utf8))
        guard answer.status == 200 else { throw TestSupportError(message: answer.text) }
    }

    func get(_ path: String, key: String) throws -> HTTPResponse {
        try HTTPClient(daemon.http).request("GET", path, headers: headers(key))
    }

    /// Saves a conversation; the answer's id.
    func save(_ question: String, at time: String = "2026-11-01T10:00:00Z", response: String = "r") throws -> String {
        let body =
            #"{"conversation_id":"c","question":"\#(question)","response":"\#(response)","timestamp":"\#(time)","#
            + #""user_id":"0192b1a4-7c3e-7a51-9f0e-2d6c1b8e4f70"}"#
        let answer = try HTTPClient(daemon.http).request(
            "POST", "/api/v1/conversations/save",
            headers: headers(write), body: Array(body.utf8))
        guard answer.status == 201 else { throw TestSupportError(message: answer.text) }
        return answer.text.split(separator: "\"").first { $0.count == 36 && $0.contains("-") }.map(String.init) ?? ""
    }
}
