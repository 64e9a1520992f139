internal import MillraceAccess
internal import MillraceJSON

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
        /// Of an acknowledgement.
        case position
        /// Names separated by commas.
        case names
        /// Whatever is sent: the intake looks at it, and lets nothing fail for it.
        case anything

        var schema: JSONSchema {
            switch self {
            case .text(let bytesMax): .text(lengths: 1...bytesMax)
            case .uuid: .uuid
            case .time: ["anyOf": [JSONSchema.time.value, ["type": "string", "format": "date"], ["type": "integer"]]]
            case .integer(let range): .integer(in: range)
            case .choice(let choices): .choice(choices)
            case .object: .anyObject
            case .cursor: ["type": "string", "pattern": "^[A-Za-z0-9_-]{12,}$"]
            case .position: ["type": "string", "pattern": .string("^[A-Za-z0-9_-]{\(PositionSeal.textBytes)}$")]
            case .anything: .text
            case .names: ["type": "string", "pattern": "^[a-z0-9_]+(,[a-z0-9_]+)*$"]
            }
        }
    }

    var name: String
    var kind: Kind
    var doc: String
    var isRequired = false
    /// What it is when it is left out, for readers.
    var fallback: String?
    var example: String?

    /// `doc`, with what is taken when it is left out.
    var description: String { fallback.map { "\(doc). Default: \($0)" } ?? doc }

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

/// Parameters that several routes take.
enum ReadParameters {
    static let rowsMax = 1000

    static func limit(_ fallback: Int) -> APIParameter {
        APIParameter(
            "limit", .integer(1...rowsMax), "Most items of a page; it ends earlier when its items are large",
            fallback: String(fallback), example: "10")
    }

    static let cursor = APIParameter(
        "cursor", .cursor, "`next` of the page before, with otherwise the same parameters")

    /// As large as `api.offset_max` can be.
    static let offset = APIParameter(
        "offset", .integer(0...1_000_000),
        "Items before the page, at most api.offset_max; all of them are read, so cursor is faster, and meets each item once",
        fallback: "0")

    static let user = APIParameter(
        "user_id", .uuid, "Only of this user", example: "843d440a-a7a7-45ee-96df-3568c37384b9")

    static let after = APIParameter(
        "after", .position,
        "`position` of what was posted: the answer holds it, once PostgreSQL does; 503 after api.after_wait")

    static let pack = APIParameter("pack", .text(bytesMax: 64), "A pack of /v1/packs", isRequired: true)

    static func fold(_ kind: String) -> APIParameter {
        APIParameter("fold", .text(bytesMax: 64), "Its \(kind), as /v1/packs lists them", isRequired: true)
    }
}
