internal import HTTPTypes
internal import Hummingbird
internal import MillraceAccess
internal import MillraceEvent
internal import MillraceRoutes
internal import NIOCore

/// The door of every route: finds out who asks, and whether they may.
///
/// Where keys are wanted (`KeyRing.wantsKeys`), by a key, or a token where tokens' keys are configured. Where they are not,
/// a token opens what one user or service may do; without any key for tokens, this machine reads by its own name.
struct RequestAccess: Sendable {
    let keyRing: KeyRing
    let verifier: TokenVerifier
    /// Without keys of any kind, this machine reads over loopback.
    var isOpenOnLoopback = true
    let auth: AuthConfiguration
    /// Logins to the page.
    let sessions: PageSessions

    /// Fields with which proxies tell for whom they ask.
    private static let proxyFields: Set<String> = [
        "via", "forwarded", "x-real-ip", "x-client-ip", "true-client-ip", "cf-connecting-ip", "cdn-loop",
    ]

    /// Throws `APIProblem`: who asks is not known, or may not.
    func caller(_ request: Request, _ context: APIContext, for operation: APIOperation) async throws -> Caller {
        let access = operation.access
        if isOpen(access, request, context) { return Caller() }
        if !keyRing.wantsKeys, verifier.isEmpty, access == .read || access == .admin {
            guard context.isUnixSocket || isOpenOnLoopback && Self.isOfThisMachine(request, context) else {
                throw Self.noKeys
            }
            return Caller(scopes: access == .admin ? [.admin] : [.read])
        }
        // The intake holds a 401 back: guessing is slow, and all failures take as long.
        let caller =
            if let caller = viewer(request, context, of: operation) { caller } else { try await authenticated(request) }
        switch access {
        case .read where !caller.may(.read) && caller.user == nil: throw Self.forbidden(caller, wants: .read)
        // The user of a token is compared with what it writes.
        case .write where !caller.may(.write) && caller.grant != nil: throw Self.forbidden(caller, wants: .write)
        case .admin where !caller.may(.admin): throw Self.forbidden(caller, wants: .admin)
        default: return caller
        }
    }

    /// Who is logged in to the page, where a page of this daemon's own asks by a cookie alone: for what the page shows and
    /// does, and nothing else.
    private func viewer(_ request: Request, _ context: APIContext, of operation: APIOperation) -> Caller? {
        let asks = PageRequest(request)
        let isReading = operation.route.method == .get
        guard keyRing.wantsKeys, request.headers[.authorization] == nil,
            isReading ? asks.mayRead : asks.mayChange && operation.isOfPage,
            let session = session(of: request, context)
        else { return nil }
        let grant = session.grant
        return Caller(
            tenant: grant.tenant, scopes: grant.record.scopes, grant: grant,
            clientSubject: Self.clientSubject(of: request))
    }

    /// Of the request's cookie, whoever asks.
    func session(of request: Request, _ context: APIContext) -> (token: String, grant: Grant, left: Duration)? {
        guard let token = PageCookie(port: context.port).value(in: request.headers[.cookie]),
            let (grant, left) = sessions.grant(
                of: token, in: keyRing, clientSubject: Self.clientSubject(of: request))
        else { return nil }
        return (token, grant, left)
    }

    /// Whether the page may show anything, without a login; why not, where it may not.
    func openness(_ request: Request, _ context: APIContext) -> APIProblem? {
        if keyRing.wantsKeys { return APIProblem(AccessRefusal.unauthenticated) }
        guard verifier.isEmpty else { return APIProblem(TokenError.missingToken) }
        return context.isUnixSocket || isOpenOnLoopback && Self.isOfThisMachine(request, context) ? nil : Self.noKeys
    }

    private func isOpen(_ access: APIOperation.Access, _ request: Request, _ context: APIContext) -> Bool {
        switch access {
        case .open: true
        case .operations where !keyRing.wantsKeys: true
        case .operations: auth.openOperations && Self.isOfThisMachine(request, context)
        case .read, .write, .admin, .intake: false
        }
    }

    /// By `Authorization`. Throws `APIProblem`, a 401.
    private func authenticated(_ request: Request) async throws -> Caller {
        let credentials = Credentials(authorization: request.headers[values: .authorization])
        switch credentials {
        case .token(let token) where !verifier.isEmpty || !keyRing.wantsKeys: return try await holder(of: token)
        case .key(let key) where keyRing.wantsKeys:
            let subject = Self.clientSubject(of: request)
            guard let grant = keyRing.grant(for: key, clientSubject: subject, at: .now) else {
                throw APIProblem(AccessRefusal.unauthenticated)
            }
            return Caller(tenant: grant.tenant, scopes: grant.record.scopes, grant: grant, clientSubject: subject)
        case _ where keyRing.wantsKeys: throw APIProblem(AccessRefusal.unauthenticated)
        case .key: throw APIProblem(TokenError.malformedToken)
        default: throw APIProblem(TokenError.missingToken)
        }
    }

    /// Of the connection's verified client certificate.
    static func clientSubject(of request: Request) -> String? {
        HTTPField.Name(ClientSubjectField.name).flatMap { request.headers[$0] }.flatMap {
            ClientSubjectField.decoded($0)
        }
    }

    private func holder(of token: String) async throws -> Caller {
        do {
            let holder = try await verifier.verify(token)
            return Caller(
                tenant: holder.tenant, scopes: holder.scopes.union(holder.isService ? [.read, .write] : []),
                user: holder.userID, isOfToken: true, expiresAt: holder.expiresAt)
        } catch let error as TokenError {
            throw APIProblem(error)
        }
    }

    private static func forbidden(_ caller: Caller, wants scope: AccessScope) -> APIProblem {
        guard caller.grant == nil else { return APIProblem(AccessRefusal.forbidden(scope)) }
        return missingScope(
            scope == .admin
                ? "the token's scope must hold the one of jwt.admin_scope"
                : "the token's scope must hold the one of jwt.read_scope, or its role be the service role")
    }

    /// Of a route that shows other users' rows too.
    static let notOwn = missingScope(
        "this is not of one user: the token's scope must hold the one of jwt.read_scope, or its role be the service role; "
            + "without, it reads the conversations and counts of its sub alone")

    private static func missingScope(_ message: String) -> APIProblem {
        var problem = APIProblem(.forbidden, "missing_scope", message)
        problem.headers[.wwwAuthenticate] =
            AccessRefusal.challenge + ", error=\"insufficient_scope\""
        return problem
    }

    private static let noKeys = APIProblem(
        .forbidden, "no_keys",
        "without keys only this machine reads: over a Unix socket, or while api.open_on_loopback over loopback, without a "
            + "proxy and under the name localhost or its loopback address; make a key by `millrace keys create`, or configure "
            + "jwt.secret, jwt.jwks_file or [[jwt.keys]]")

    /// A page of a foreign site can make a browser on this machine ask, but not under this machine's name. A proxy on
    /// this machine asks for others: it says so, or speaks HTTP/1.0 (nginx does, told nothing else), to which the intake adds Via.
    private static func isOfThisMachine(_ request: Request, _ context: APIContext) -> Bool {
        if context.isUnixSocket { return true }
        let isDirect = !request.headers.contains { isProxyField($0.name.canonicalName) }
        return context.isLocal && isDirect && isLocal(host: request.head.authority ?? "")
    }

    private static func isProxyField(_ name: String) -> Bool {
        name.hasPrefix("x-forwarded-") || proxyFields.contains(name)
    }

    static func isLocal(host: String) -> Bool {
        if host.hasPrefix("[") { return host.hasPrefix("[::1]") }
        let name = host.prefix { $0 != ":" }.lowercased()
        return Loopback.hasName(name)
    }
}

/// What the routes know of a request: its connection, and who asks.
struct APIContext: RequestContext {
    var coreContext: CoreRequestContextStorage
    /// The connection came in over loopback or a Unix socket.
    let isLocal: Bool
    let isUnixSocket: Bool
    /// Of the listener; nil for a Unix socket.
    let port: Int?
    /// The client's address, without a port.
    let peer: String
    /// The connection.
    let channel: any Channel
    /// Let in by `RequestAccess`.
    var caller = Caller()

    init(source: ApplicationRequestContextSource) {
        coreContext = .init(source: source)
        channel = source.channel
        let address = source.channel.localAddress
        peer = source.channel.remoteAddress?.ipAddress ?? "unix socket"
        isUnixSocket = address?.pathname != nil && address?.ipAddress == nil
        port = address?.port
        isLocal = isUnixSocket || address?.ipAddress.map { $0 == "::1" || $0.hasPrefix("127.") } ?? false
    }
}
