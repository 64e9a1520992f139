internal import FoundationEssentials

/// What `/readyz` says about writing: whether events get into the database, else why not and since when.
struct WritingAnswer: Decodable {
    struct Note: Decodable {
        var code: String
        var message: String
    }

    var writing: Bool
    var reason: String?
    var since: String?
    var notes: [Note]?

    /// nil for a daemon that does not say.
    init?(_ body: String) {
        guard let answer = try? JSONDecoder().decode(Self.self, from: Data(body.utf8)) else { return nil }
        self = answer
    }
}
