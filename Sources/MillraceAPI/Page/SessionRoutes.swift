internal import HTTPTypes
internal import Hummingbird
internal import Logging
internal import MillraceAccess
internal import MillraceEvent
internal import MillraceJSON
internal import MillraceRoutes
internal import MillraceTelemetry
internal import NIOCore

/// `GET /session`, `POST /login` and `POST /logout`: who looks at the page. A cookie stands for a key that was shown once.
struct SessionRoutes: Sendable {
    private static let bodyBytesMax = 4096

    private static let sessionOperation = APIOperation(
        .session, id: "session", tag: "page", summary: "What the page may show to who asks, by its cookie",
        access: .open,
        answer: .init(PageSession.self))

    private static let loginOperation = APIOperation(
        .login, id: "login", tag: "page",
        summary: "Logs a page of this daemon's own in by a key that may read: the answer sets a cookie", access: .open,
        body: APIOperation.Body(
            schemas: [
                ("application/x-www-form-urlencoded", .object([("key", .text)], required: ["key"]))
            ], components: []),
        answer: .init(PageSession.self),
        furtherFailures: [
            (401, "No key in force"), (403, "Not from the page, or a key that may not read"), (413, "Too large"),
            (415, "Not a form"),
        ])

    private static let logoutOperation = APIOperation(
        .logout, id: "logout", tag: "page", summary: "Ends what the page's cookie opens", access: .open,
        answer: .init(PageSession.self), furtherFailures: [(403, "Not from the page")])

    let configuration: APIRoutesConfiguration
    let access: RequestAccess
    let logger: Logger

    var session: Endpoint {
        Endpoint(Self.sessionOperation) { request, context in
            guard let session = access.session(of: request, context) else {
                return answer(standing(request, context))
            }
            return answer(PageSession(session.grant, left: session.left))
        }
    }

    var login: Endpoint {
        Endpoint(Self.loginOperation) { request, context in
            let page = PageRequest(request)
            guard page.mayChange else { throw Self.notOfPage }
            guard configuration.keys.wantsKeys else { return answer(standing(request, context)) }
            let text = try await Self.key(in: request)
            let subject = RequestAccess.clientSubject(of: request)
            // The intake holds a 401 back, as it does for every other failure.
            guard let grant = configuration.keys.grant(for: text, clientSubject: subject, at: .now) else {
                throw APIProblem(AccessRefusal.unauthenticated)
            }
            guard grant.record.scopes.allow(.read) else { throw APIProblem(AccessRefusal.forbidden(.read)) }
            if let before = access.session(of: request, context) { configuration.sessions.end(before.token) }
            let token = configuration.sessions.begin(grant, configuration.page)
            let lifetime = configuration.page.sessionLifetime
            logger.info(
                "logged in to the page", metadata: [.session: "\(grant.record.id)", .peer: "\(context.peer)"])
            return answer(
                PageSession(grant, left: lifetime),
                cookie: PageCookie(port: context.port).field(token, lifetime: lifetime, isSecure: page.isOverTLS))
        }
    }

    var logout: Endpoint {
        Endpoint(Self.logoutOperation) { request, context in
            let page = PageRequest(request)
            guard page.mayChange else { throw Self.notOfPage }
            if let session = access.session(of: request, context) { configuration.sessions.end(session.token) }
            return answer(
                standing(request, context),
                cookie: PageCookie(port: context.port).field("", lifetime: .zero, isSecure: page.isOverTLS))
        }
    }

    private static let notOfPage = APIProblem(
        .forbidden, "forbidden_origin",
        "only the page at / of this daemon logs in and out; programs send Authorization: Bearer mr_…")

    /// Without a login.
    private func standing(_ request: Request, _ context: APIContext) -> PageSession {
        PageSession(access.openness(request, context), wantsKey: configuration.keys.wantsKeys)
    }

    private func answer(_ session: PageSession, cookie: String? = nil) -> Response {
        var headers: HTTPFields = [.cacheControl: "no-store"]
        if let cookie { headers[.setCookie] = cookie }
        return Response(session, headers: headers)
    }

    /// Throws `APIProblem`, and errors of the connection.
    private static func key(in request: Request) async throws -> String {
        let type = request.headers[.contentType]?.prefix { $0 != ";" }.lowercased().filter { $0 != " " }
        guard type == "application/x-www-form-urlencoded" else {
            throw APIProblem(
                .unsupportedMediaType, "unsupported_media_type",
                "Content-Type must be application/x-www-form-urlencoded, the body key=mr_…")
        }
        var body: [UInt8] = []
        for try await piece in request.body {
            body += piece.readableBytesView
            guard body.count <= bodyBytesMax else {
                throw APIProblem(.contentTooLarge, "body_too_large", "a login has at most \(bodyBytesMax) bytes")
            }
        }
        // What is no text is no key: it is refused as a wrong one is.
        let pairs = String(validating: body, as: UTF8.self)?.split(separator: "&") ?? []
        for pair in pairs where pair.hasPrefix("key=") {
            return (try? RequestQuery.decoded(pair.dropFirst(4)).filter { !$0.isWhitespace }) ?? ""
        }
        return ""
    }
}

/// What the page may show.
private struct PageSession: JSONShape {
    private var canRead: Bool
    private var canAdminister: Bool
    private var wantsKey: Bool
    private var isLoggedIn: Bool
    private var key: String?
    private var secondsLeft: Int?
    private var problem: APIProblem?

    /// A login.
    init(_ grant: Grant, left: Duration) {
        let scopes = grant.record.scopes
        canRead = scopes.allow(.read)
        canAdminister = scopes.allow(.admin)
        wantsKey = true
        isLoggedIn = true
        key = grant.record.id
        secondsLeft = Int(left.components.seconds)
    }

    /// None. `problem`: why nothing is shown; nil where everything is.
    init(_ problem: APIProblem?, wantsKey: Bool) {
        self.problem = problem
        self.wantsKey = wantsKey
        canRead = problem == nil
        canAdminister = problem == nil
        isLoggedIn = false
    }

    static let name = "PageSession"

    static let fields: [JSONField<Self>] = [
        JSONField("can_read", \.canRead, doc: "It shows what a key of the scope read does"),
        JSONField("can_administer", \.canAdminister, doc: "It also offers what changes something"),
        JSONField("wants_key", \.wantsKey, doc: "Whether a login by a key helps"),
        JSONField("logged_in", \.isLoggedIn),
        JSONField("key", optional: \.key, doc: "The id of the key that logged in"),
        JSONField("seconds_left", optional: \.secondsLeft, doc: "Until the login ends"),
        JSONField("code", optional: \.problem?.code, doc: "Why it shows nothing"),
        JSONField("message", optional: \.problem?.message),
    ]
}
