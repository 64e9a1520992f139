internal import FoundationEssentials

/// What `/readyz` says about writing: whether events get into the database, else why not and since when.
struct WritingAnswer: Decodable {
    var writing: Bool
    var reason: String?
    var since: String?

    /// nil for a daemon that does not say.
    init?(_ body: String) {
        guard let answer = try? JSONDecoder().decode(Self.self, from: Data(body.utf8)) else { return nil }
        self = answer
    }
}
