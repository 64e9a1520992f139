internal import Hummingbird
internal import MillraceJSON
internal import MillraceRoutes

/// A route as clients see it: the router takes its parameters from here, and `/openapi.json` describes it.
struct APIOperation: Sendable {
    enum Access: Sendable {
        case open
        /// A key that may write, where keys are wanted; the intake asks for it.
        case intake
        /// A key of any scope, unless none is wanted or the caller is on this machine.
        case operations
        /// A key or a token that may read, unless the daemon has no keys of any kind and the caller is on this machine.
        case read
        /// A key or a token that may write, or a token of the user.
        case write
        /// A key or a token that may administer, unless the daemon has no keys of any kind and the caller is on this
        /// machine.
        case admin
    }

    /// How a route is kept to the rows of one user, for a token that may read its own only.
    enum OwnRows: Sendable {
        /// It can't be: it is not for such a token.
        case none
        /// By the parameter `user_id`.
        case parameter
        /// By the column `user_id`, of a table that has it.
        case column
    }

    /// A schema with a name, by which the description refers to it.
    struct Component: Sendable {
        var name: String
        var schema: JSONSchema

        init(name: String, schema: JSONSchema) {
            self.name = name
            self.schema = schema
        }

        init<Shape: JSONShape>(_ shape: Shape.Type) {
            self.init(name: Shape.name, schema: Shape.schema)
        }

        var reference: JSONSchema { .reference(to: name) }
    }

    /// What a POST carries.
    struct Body: Sendable {
        /// By content type.
        var schemas: [(String, JSONSchema)]
        /// What the schemas refer to.
        var components: [Component]
        var example: JSONValue?
    }

    let route: HTTPRoute
    /// `operationId`.
    let id: String
    /// Of it in the description.
    let tag: String
    let summary: String
    let access: Access
    let ownRows: OwnRows
    let pathParameters: [APIParameter]
    let parameters: [APIParameter]
    let headers: [APIParameter]
    /// Further parameters are columns that rows are compared by.
    let takesColumns: Bool
    let body: Body?
    /// Of a success; nil: text.
    let answer: Component?
    /// Statuses of success, and what they mean.
    let successes: [(Int, String)]
    private let furtherFailures: [(Int, String)]
    /// Of what is not 2xx.
    let errorAnswer: Component
    /// Of its 503, when that is no error.
    let unavailableAnswer: Component?
    /// Further types of a success.
    let furtherContent: [(String, JSONSchema)]
    /// Of a success that is text.
    let textType: String
    /// Who is logged in to the page may do it, though it changes something.
    let isOfPage: Bool

    init(
        _ route: HTTPRoute, id: String, tag: String, summary: String, access: Access,
        ownRows: OwnRows = .none, pathParameters: [APIParameter] = [], parameters: [APIParameter] = [],
        headers: [APIParameter] = [],
        takesColumns: Bool = false,
        body: Body? = nil, answer: Component? = nil, successes: [(Int, String)] = [(200, "As asked")],
        furtherFailures: [(Int, String)] = [], errorAnswer: Component = Component(ErrorAnswer.self),
        unavailableAnswer: Component? = nil, furtherContent: [(String, JSONSchema)] = [],
        textType: String = "text/plain", isOfPage: Bool = false
    ) {
        self.route = route
        self.id = id
        self.tag = tag
        self.summary = summary
        self.access = access
        self.ownRows = ownRows
        self.pathParameters = pathParameters
        self.parameters = parameters + (route.readsReplicas ? [ReadParameters.after] : [])
        self.headers = headers
        self.takesColumns = takesColumns
        self.body = body
        self.answer = answer
        self.successes = successes
        self.furtherFailures = furtherFailures
        self.errorAnswer = errorAnswer
        self.unavailableAnswer = unavailableAnswer
        self.furtherContent = furtherContent
        self.textType = textType
        self.isOfPage = isOfPage
    }

    /// How further parameters are described, where `takesColumns`.
    static let columns: (name: String, doc: String, schema: JSONSchema) = (
        "columns",
        "A column and the value it must have; /v1/packs lists them. A name may end with `!`, `<` or `>` and so have the "
            + "value compared by `!=`, `<=`, `>=`; `column<value` and `column>value` work, too",
        ["type": "object", "additionalProperties": ["type": "string"]]
    )

    /// All that the description refers to.
    var components: [Component] {
        [errorAnswer] + [answer, unavailableAnswer].compactMap { $0 } + (body?.components ?? [])
    }

    /// What else than success can be answered.
    func failures(wantsKeys: Bool, takesTokens: Bool) -> [(Int, String)] {
        var failures: [(Int, String)] = [(400, "Malformed; the message says what is wanted")]
        let takesTokens = takesTokens && (access == .read || access == .admin)
        if access == .write || access != .open && wantsKeys || takesTokens {
            failures.append((401, "No key or token, or one that is not believed"))
        }
        if access == .write || access == .read || access == .admin || access == .intake && wantsKeys {
            failures.append((403, "Not for the one who asks"))
        }
        if !pathParameters.isEmpty { failures.append((404, "There is no such thing")) }
        if access == .read { failures.append((503, "The database or a connection to it is not there; try later")) }
        return (failures + furtherFailures).sorted { $0.0 < $1.0 }
    }
}

/// An operation and what answers it.
struct Endpoint: Sendable {
    typealias Respond = @Sendable (Request, APIContext) async throws -> Response

    let operation: APIOperation
    /// nil: the intake does.
    let respond: Respond?

    init(_ operation: APIOperation, respond: Respond?) {
        self.operation = operation
        self.respond = respond
    }

    /// As Hummingbird writes patterns.
    var pattern: RouterPath {
        RouterPath(
            operation.route.path.split(separator: "/").map { part in
                part.hasPrefix("{") ? ":" + part.dropFirst().dropLast() : String(part)
            }.joined(separator: "/"))
    }
}
