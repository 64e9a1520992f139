/// A parameter of a route: what it may be, for the router and for `/openapi.json`.
struct APIParameter: Sendable {
    enum Kind: Sendable {
        case text(bytesMax: Int)
        case uuid
        /// See `TimeText.parse`.
        case time
        case integer(ClosedRange<Int>)
        case choice([String])
        /// A JSON object.
        case object
        case cursor
        /// Names separated by commas.
        case names
    }

    var name: String
    var kind: Kind
    var doc: String
    var isRequired = false
    /// What it is when it is left out, for readers.
    var fallback: String?
    var example: String?

    init(
        _ name: String, _ kind: Kind, _ doc: String, isRequired: Bool = false, fallback: String? = nil,
        example: String? = nil
    ) {
        self.name = name
        self.kind = kind
        self.doc = doc
        self.isRequired = isRequired
        self.fallback = fallback
        self.example = example
    }
}
