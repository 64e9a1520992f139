/// An entry of `[fields]`: which values, of which lines.
///
/// `payload.contact.email` of all events, `order.placed:payload.card.number` of one type, and of conversation saves
/// `question`, `response` and `metadata.phone`. A step is a member's name, or in digits an array's element; `*` is any of
/// either. A name with a dot, a quote, a colon or an asterisk stands in quotes: `payload."first.name"`.
package struct ListedPath: Sendable, Hashable, CustomStringConvertible {
    /// Of the whole path, the top-level field included.
    static let stepsMax = 32

    enum Step: Sendable, Hashable {
        case name(String)
        case any
    }

    /// Nil: of all types. Only in paths of `payload`.
    var eventType: String?
    /// The first is the top-level field.
    var steps: [Step]
    /// As it was written.
    package var description: String

    var isOfConversations: Bool { top != "payload" }
    var top: String { if case .name(let name) = steps.first { name } else { "" } }
    var hasAny: Bool { steps.contains(.any) }

    /// As the blind index names it: without type and top-level field.
    package let indexName: String

    /// `setting`: the key of config.toml that it stands in, for the error.
    package init(_ text: String, of setting: String) throws(FieldsError) {
        func wrong(_ what: String) -> FieldsError {
            FieldsError(
                key: setting,
                message: "\"\(text)\" \(what); wanted: payload.NAME…, TYPE:payload.NAME…, question, response or "
                    + "metadata.NAME…, with names separated by dots, * for any, and \"…\" around names with dots")
        }
        description = text
        var rest = text[...]
        if !["payload", "metadata", "question", "response"].contains(where: { text == $0 || text.hasPrefix($0 + ".") })
        {
            guard let colon = text.firstRange(of: ":payload.") else { throw wrong("is no path") }
            let type = String(text[..<colon.lowerBound])
            guard (1...200).contains(type.utf8.count) else { throw wrong("names no event type") }
            eventType = type
            rest = text[text.index(after: colon.lowerBound)...]
        }
        indexName = String(rest.drop { $0 != "." }.dropFirst())
        guard let names = Self.steps(rest) else { throw wrong("has an empty name, or a quote that is not closed") }
        guard names.count <= Self.stepsMax else { throw wrong("has more than \(Self.stepsMax) names") }
        steps = names
        let isWhole = top == "question" || top == "response"
        guard isWhole == (names.count == 1) else {
            throw wrong(isWhole ? "goes into a text" : "is the whole of \(top)")
        }
    }

    static func steps(_ text: Substring) -> [Step]? {
        var steps: [Step] = []
        var rest = text
        while true {
            if rest.first == "\"" {
                var name = ""
                rest = rest.dropFirst()
                while let character = rest.popFirst(), character != "\"" || rest.first == "\"" {
                    if character == "\"" { rest = rest.dropFirst() }
                    name.append(character)
                    if rest.isEmpty { return nil }
                }
                steps.append(.name(name))
            } else {
                let name = rest.prefix { $0 != "." && $0 != "\"" }
                guard !name.isEmpty else { return nil }
                rest = rest[name.endIndex...]
                steps.append(name == "*" ? .any : .name(String(name)))
            }
            guard let next = rest.popFirst() else { return steps }
            guard next == "." else { return nil }
        }
    }

    /// Whether one line can have a value at both, or one within the other.
    func overlaps(_ other: ListedPath) -> Bool {
        if let eventType, let type = other.eventType, eventType != type { return false }
        return zip(steps, other.steps).allSatisfy { $0 == .any || $1 == .any || $0 == $1 }
    }
}
