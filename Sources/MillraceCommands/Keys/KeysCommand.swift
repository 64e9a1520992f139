internal import ArgumentParser
internal import Glibc
internal import MillraceAccess
internal import MillraceConfiguration
internal import MillraceConsole
internal import MillracePostgres

/// `millrace keys`: who may send and read.
struct KeysCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "keys",
        abstract: "Make, list, revoke and rotate the keys of clients.",
        discussion: """
            Keys are in the database; each daemon of it looks every auth.refresh_interval. From the first key on, every request \
            and connection wants one, over loopback too.

            Example:
              millrace keys create --scope write --name web --rate 1000
              millrace keys list
            """,
        subcommands: [KeysCreate.self, KeysList.self, KeysRevoke.self, KeysRotate.self]
    )

    /// Waits for as long as a daemon takes to see a change, so that a key opens once it is shown. Blocks.
    static func waitForDaemons(_ auth: AuthConfiguration) {
        let (seconds, attoseconds) = (auth.refreshInterval + .milliseconds(100)).components
        var time = timespec(tv_sec: Int(seconds), tv_nsec: Int(attoseconds / 1_000_000_000))
        var rest = timespec()
        while nanosleep(&time, &rest) != 0, errno == EINTR { time = rest }
    }
}

/// The id of a key on the command line; of a whole key, as somebody found it, its id is taken.
struct KeyID: ExpressibleByArgument {
    var text: String

    init?(argument: String) {
        if let key = AccessKey(argument) {
            text = key.id
        } else {
            let isID =
                argument.utf8.count == 12 && argument.allSatisfy { $0.isASCII && ($0.isNumber || $0.isLowercase) }
            guard isID else { return nil }
            text = argument
        }
    }
}

extension AccessScope: ExpressibleByArgument {}

extension KeyTable {
    /// `lock`, where there must be one.
    func lockKnown(_ id: String) throws -> StoredKey {
        guard let key = try lock(id) else {
            throw CommandError("there is no key \(id)", hint: "See `millrace keys list`")
        }
        return key
    }
}

extension PostgresConnection {
    /// `transaction` for a body that throws errors of its own too.
    func act<Answer>(_ body: () throws -> Answer) throws -> Answer {
        // What is said to be revoked stays so, whatever the server's setting.
        try execute("BEGIN; SET LOCAL synchronous_commit = on")
        do {
            let answer = try body()
            try commit()
            return answer
        } catch {
            if isUsable, transactionStatus != .idle { _ = try? execute("ROLLBACK") }
            throw error
        }
    }
}
