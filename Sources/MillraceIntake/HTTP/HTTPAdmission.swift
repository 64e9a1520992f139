internal import MillraceAccess
internal import MillraceChannels
internal import MillraceDialects
internal import MillraceRoutes
internal import NIOCore
internal import NIOHTTP1

/// What becomes of a request, decided by its head alone.
struct HTTPAdmission {
    enum Verdict {
        /// `saysContinue`: the client waits for 100 before it sends the body.
        case events(EventsRequestHead, saysContinue: Bool)
        /// Answered so, once its body, which does not matter, has been read.
        case answered(HTTPAnswer)
        /// Passed on, in the form that all routes see.
        case routes(HTTPRequestHead, saysContinue: Bool)
        /// Refused once its body, which is short, has been read: the connection can go on.
        case refused(HTTPProblem)
        /// Refused at once, and the connection ends.
        case cutOff(HTTPProblem)
    }

    /// A refused body of up to this many bytes is read and dropped, so that the connection can be kept.
    private static let shortBodyBytesMax = 64 << 10

    private(set) var audience: HTTPAudience
    let version: HTTPVersion
    /// The method is HEAD.
    let isHead: Bool
    let upgrade: HTTPUpgradeOffer
    /// The connection ends with the answer.
    let closes: Bool
    let verdict: Verdict
    /// Who was let in.
    private(set) var entry = HTTPAccess.Entry()
    /// Refused for want of a key in force: to be counted, and answered late.
    var isAuthenticationFailed: Bool {
        switch verdict {
        case .refused(let problem), .cutOff(let problem): problem.code == .unauthenticated
        case .events, .routes, .answered: false
        }
    }

    var route: HTTPRoute { audience.route }

    /// `isReserved`: the connection has one of the places kept for operations. `spoolRefusal`: why the spool takes
    /// nothing now.
    init(
        _ received: HTTPRequestHead, at entrance: HTTPDoor.Entrance, door: HTTPDoor, access: HTTPAccess,
        isReserved: Bool,
        spoolRefusal: @autoclosure () -> SpoolRefusal?
    ) {
        let target = HTTPRequestTarget(received.uri)
        let fields = HTTPRequestFields(received.headers, authority: target?.authority)
        let route = HTTPRoute(
            path: target?.path ?? "", isReading: received.method == .GET || received.method == .HEAD)
        audience = HTTPAudience(
            route: route, isProtobuf: route == .openTelemetryLogs && DialectRequest.isProtobuf(fields.plainContentType))
        version = received.version
        isHead = received.method == .HEAD
        upgrade = fields.upgrade
        closes = !received.isKeepAlive || fields.upgrade == .unclear
        // Any other expectation of HTTP/1.1 is refused by its framing.
        let saysContinue = fields.expect != nil && received.version == .http1_1
        if let problem = HTTPFraming.problem(received, fields) ?? HTTPFraming.problem(received, target) {
            verdict = .cutOff(problem)
        } else if isReserved, !route.isOperational {
            verdict = .cutOff(
                HTTPProblem(
                    .tooManyConnections, "the connections that are left answer only /livez, /readyz, /metrics"))
        } else if !route.isProbe, let problem = door.problem(fields, at: entrance) {
            verdict = Self.refusal(problem, fields)
        } else if route == .snippet, received.method == .GET || isHead {
            verdict = .answered(PageAnswers.snippet)
        } else {
            do throws(HTTPProblem) {
                let page = try Self.page(fields, at: entrance, door: door, access: access, to: route)
                audience.pageOrigin = page?.origin
                if page != nil, PageAnswers.isQuestion(received), Self.isShort(fields) {
                    verdict = .answered(PageAnswers.welcome(received))
                    return
                }
                let uri = target?.uri ?? received.uri
                let dialect = Self.dialect(of: received, fields, to: route, uri: uri)
                let queryKey = dialect?.key ?? Self.queryKey(uri, to: route)
                audience.hasQueryKey = queryKey != nil
                entry = try Self.entry(
                    access, fields, to: route, dialect, queryKey: queryKey, page: route.takesLines ? page : nil)
                if let answer = Self.answer(to: received, route), Self.isShort(fields) {
                    verdict = .answered(answer)
                } else if dialect != nil || route == .events {
                    let head = try Self.events(received, fields, dialect, query: uri, isFromPage: page != nil)
                    if let refusal = spoolRefusal() { throw HTTPProblem(refusal) }
                    verdict = .events(head, saysContinue: saysContinue)
                } else {
                    verdict = .routes(Self.routed(received, target, access.clientSubject), saysContinue: saysContinue)
                }
            } catch {
                verdict = Self.refusal(error, fields)
            }
        }
    }

    /// The page of another origin that sent the request. Throws where no key, nor the settings, let it send here.
    private static func page(
        _ fields: HTTPRequestFields, at entrance: HTTPDoor.Entrance, door: HTTPDoor, access: HTTPAccess,
        to route: HTTPRoute
    ) throws(HTTPProblem) -> ForeignPage? {
        guard !route.isProbe, let page = door.foreignPage(fields, at: entrance, isSending: route.takesPages) else {
            return nil
        }
        guard route.takesPages else {
            throw HTTPProblem(
                .forbiddenOrigin, "a page of another origin sent this; Millrace answers none of them here")
        }
        guard access.mayAnswer(page) else { throw HTTPProblem(AccessRefusal.forbiddenOrigin) }
        return page
    }

    /// Nil where the request is in none. CloudEvents are known by their types, too.
    private static func dialect(
        of head: HTTPRequestHead, _ fields: HTTPRequestFields, to route: HTTPRoute, uri: String
    ) -> DialectRequest? {
        let dialect: Dialect
        switch route {
        case .segment where head.method == .POST, .segmentPixel where head.method == .GET: dialect = .segment
        case .pixel where head.method == .GET: dialect = .pixel
        case .postHog where head.method == .POST || head.method == .GET && uri.contains("data="): dialect = .postHog
        case .postHogV1 where head.method == .POST: dialect = .postHogV1
        case .cloudEvents where head.method == .POST: dialect = .cloudEvents
        case .openTelemetryLogs where head.method == .POST: dialect = .openTelemetry
        case .events where head.method == .POST:
            guard fields.contentType?.lowercased().hasPrefix("application/cloudevents") == true else { return nil }
            dialect = .cloudEvents
        default: return nil
        }
        return DialectRequest(dialect, uri: uri, fields: head.headers.lazy.map { ($0.name, $0.value) })
    }

    /// What needs nobody else: that there are no feature flags, and that CloudEvents are welcome here.
    private static func answer(to head: HTTPRequestHead, _ route: HTTPRoute) -> HTTPAnswer? {
        if route == .featureFlags, head.method == .POST { return HTTPAnswer(DialectReply.noFlags) }
        guard route == .cloudEvents || route == .events, head.method == .OPTIONS,
            let origin = head.headers.first(name: "WebHook-Request-Origin")
        else { return nil }
        var answer = HTTPAnswer(status: 200, body: [])
        answer.headers = [("Allow", "POST"), ("WebHook-Allowed-Origin", origin), ("WebHook-Allowed-Rate", "*")]
        return answer
    }

    private static func entry(
        _ access: HTTPAccess, _ fields: HTTPRequestFields, to route: HTTPRoute, _ dialect: DialectRequest?,
        queryKey: String?, page: ForeignPage?
    ) throws(HTTPProblem) -> HTTPAccess.Entry {
        do throws(AccessRefusal) {
            return try access.entry(fields, to: route, dialect: dialect, queryKey: queryKey, page: page)
        } catch {
            throw HTTPProblem(error)
        }
    }

    /// The key in the query of a request in no dialect: a beacon can send no header, nor can who asks whether CloudEvents are
    /// welcome.
    private static func queryKey(_ uri: String, to route: HTTPRoute) -> String? {
        guard route == .events || route == .cloudEvents, let question = uri.utf8.firstIndex(of: UInt8(ascii: "?"))
        else {
            return nil
        }
        return DialectRequest.key(in: FormFields(uri[question...].utf8.dropFirst()))
    }

    private static func refusal(_ problem: HTTPProblem, _ fields: HTTPRequestFields) -> Verdict {
        isShort(fields) ? .refused(problem) : .cutOff(problem)
    }

    /// Whether the body can be read and dropped: it is short, and comes without being asked for.
    private static func isShort(_ fields: HTTPRequestFields) -> Bool {
        let length = fields.contentLengths.first.flatMap { Int($0) }
        let isBodiless = length == nil && fields.transferEncodings.isEmpty
        // A client that waits for 100 would never send the body.
        return fields.expect == nil && (isBodiless || length ?? .max <= shortBodyBytesMax)
    }

    private static func events(
        _ head: HTTPRequestHead, _ fields: HTTPRequestFields, _ dialect: DialectRequest?, query uri: String,
        isFromPage: Bool
    ) throws(HTTPProblem) -> EventsRequestHead {
        if let dialect { return try EventsRequestHead(dialect, uri: uri, fields) }
        guard head.method == .POST else {
            throw HTTPProblem(.methodNotAllowed, "events are sent with POST and read with GET")
        }
        guard fields.contentType != nil || fields.origin == nil || isFromPage else {
            throw HTTPProblem(.unsupportedMediaType, "from a page, Content-Type: application/json is wanted")
        }
        return try EventsRequestHead(uri: uri, fields)
    }

    private static func routed(
        _ received: HTTPRequestHead, _ target: HTTPRequestTarget?, _ clientSubject: String?
    ) -> HTTPRequestHead {
        var head = received
        head.headers.remove(name: ClientSubjectField.name)
        if let clientSubject {
            head.headers.add(name: ClientSubjectField.name, value: ClientSubjectField.encoded(clientSubject))
        }
        if let target, target.uri != head.uri {
            head.uri = target.uri
            if let authority = target.authority { head.headers.replaceOrAdd(name: "Host", value: authority) }
        }
        // For the routes, which don't see the version; a client that speaks 1.0 today is a proxy.
        if head.version == .http1_0 { head.headers.add(name: "Via", value: "1.0 client") }
        return head
    }
}
