internal import FoundationEssentials
internal import MillraceAccess
internal import MillracePostgres

/// The key that a command shows the daemon. From a file or the environment, never an argument, which everybody on the machine
/// sees.
enum ClientKey {
    /// Of `--key-file`, else `MILLRACE_KEY`, else the file that `MILLRACE_KEY_FILE` names; nil without any.
    static func read(
        file: String?, environment: [String: String] = ProcessInfo.processInfo.environment
    ) throws(CommandError) -> Secret? {
        if let file { return try read(file, "--key-file \(file)") }
        if let text = environment["MILLRACE_KEY"], !text.isEmpty { return try key(text, "MILLRACE_KEY") }
        guard let file = environment["MILLRACE_KEY_FILE"], !file.isEmpty else { return nil }
        return try read(file, "MILLRACE_KEY_FILE (\(file))")
    }

    private static func read(_ file: String, _ place: String) throws(CommandError) -> Secret {
        guard let bytes = FileManager.default.contents(atPath: file) else {
            throw CommandError("\(place) can't be read", hint: "Name a file that holds a key and is this user's")
        }
        return try key(String(decoding: bytes, as: UTF8.self), place)
    }

    /// Never quotes the text, which may be a key all the same.
    private static func key(_ text: String, _ place: String) throws(CommandError) -> Secret {
        let text = String(text.drop { $0.isWhitespace })
        let trimmed = text.lastIndex { !$0.isWhitespace }.map { text[...$0] } ?? ""
        guard AccessKey(trimmed) != nil else {
            throw CommandError(
                "\(place) holds no key",
                hint:
                    "A key is the one line that `millrace keys create` prints, mr_… and \(AccessKey.byteCount) characters"
            )
        }
        return Secret(String(trimmed))
    }
}
