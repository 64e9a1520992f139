internal import ArgumentParser
internal import MillraceAccess
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
        try execute("BEGIN")
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
