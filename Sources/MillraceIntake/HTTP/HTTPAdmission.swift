internal import MillraceAccess
internal import MillraceChannels
internal import MillraceRoutes
internal import NIOCore
internal import NIOHTTP1

/// What becomes of a request, decided by its head alone.
struct HTTPAdmission {
    enum Verdict {
        /// `saysContinue`: the client waits for 100 before it sends the body.
        case events(EventsRequestHead, saysContinue: Bool)
        /// Passed on, in the form that all routes see.
        case routes(HTTPRequestHead, saysContinue: Bool)
        /// Refused once its body, which is short, has been read: the connection can go on.
        case refused(HTTPProblem)
        /// Refused at once, and the connection ends.
        case cutOff(HTTPProblem)
    }

    /// A refused body of up to this many bytes is read and dropped, so that the connection can be kept.
    private static let shortBodyBytesMax = 64 << 10

    let route: HTTPRoute
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
        case .events, .routes: false
        }
    }

    /// `isReserved`: the connection has one of the places kept for operations. `spoolRefusal`: why the spool takes
    /// nothing now.
    init(
        _ received: HTTPRequestHead, at entrance: HTTPDoor.Entrance, door: HTTPDoor, access: HTTPAccess,
        isReserved: Bool,
        spoolRefusal: @autoclosure () -> SpoolRefusal?
    ) {
        let target = HTTPRequestTarget(received.uri)
        let fields = HTTPRequestFields(received.headers, authority: target?.authority)
        route = HTTPRoute(
            path: target?.path ?? "", isReading: received.method == .GET || received.method == .HEAD)
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
        } else {
            do throws(HTTPProblem) {
                entry = try Self.entry(access, fields, to: route)
                if route == .events {
                    let head = try Self.events(received, fields, query: target?.uri ?? received.uri)
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

    private static func entry(
        _ access: HTTPAccess, _ fields: HTTPRequestFields, to route: HTTPRoute
    ) throws(HTTPProblem) -> HTTPAccess.Entry {
        do throws(AccessRefusal) {
            return try access.entry(fields, to: route)
        } catch {
            throw HTTPProblem(error)
        }
    }

    private static func refusal(_ problem: HTTPProblem, _ fields: HTTPRequestFields) -> Verdict {
        let length = fields.contentLengths.first.flatMap { Int($0) }
        let isBodiless = length == nil && fields.transferEncodings.isEmpty
        let isShort = isBodiless || length ?? .max <= shortBodyBytesMax
        // A client that waits for 100 would never send the body.
        return fields.expect == nil && isShort ? .refused(problem) : .cutOff(problem)
    }

    private static func events(
        _ head: HTTPRequestHead, _ fields: HTTPRequestFields, query uri: String
    ) throws(HTTPProblem) -> EventsRequestHead {
        guard head.method == .POST else {
            throw HTTPProblem(.methodNotAllowed, "events are sent with POST and read with GET")
        }
        guard fields.contentType != nil || fields.origin == nil else {
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
