/// Statements that a session has prepared: name by text.
struct PreparedStatements {
    /// Beyond, the names are forgotten, and the texts are prepared again under new ones; the server keeps the old until the
    /// session ends. A session of Millrace sends a few dozen texts, and others only when versions of packs change.
    private static let countMax = 256

    private var names: [String: String] = [:]
    private var nameCount = 0

    func name(of text: String) -> String? { names[text] }

    /// A name that the session has not used yet.
    mutating func newName() -> String {
        nameCount += 1
        return "millrace_\(nameCount)"
    }

    mutating func add(_ text: String, name: String) {
        if names.count == Self.countMax { names = [:] }
        names[text] = name
    }
}
