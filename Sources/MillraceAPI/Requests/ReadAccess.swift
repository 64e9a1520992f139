internal import HTTPTypes
internal import Hummingbird
internal import MillraceAccess
internal import MillraceEvent
internal import MillracePostgres
internal import NIOCore

/// Whose rows a request may read.
enum Reader: Sendable, Equatable {
    case ofAll
    /// This user's, and no others.
    case ofOwn(UniqueID)
}

/// Who may read: a token with the scope `millrace:read` or of the service role all; a user's own token the user's rows.
/// Without any key in the configuration,
/// callers over a Unix socket, and over loopback where `isOpenOnLoopback`, by this machine's own name.
struct ReadAccess: Sendable {
    static let scope = "millrace:read"

    let verifier: TokenVerifier
    var isOpenOnLoopback = true
    var keys = KeyRing(isRequired: false)
    /// How long a wrong key's answer is held back.
    var failureDelay = Duration.zero

    /// Fields with which proxies tell for whom they ask.
    private static let proxyFields: Set<String> = [
        "via", "forwarded", "x-real-ip", "x-client-ip", "true-client-ip", "cf-connecting-ip", "cdn-loop",
    ]

    /// Throws `APIProblem`.
    func reader(_ request: Request, _ context: APIContext) async throws -> Reader {
        guard !verifier.isEmpty else {
            try checkLocal(request, context)
            return .ofAll
        }
        let caller = try await verifier.caller(of: request)
        if caller.isService || caller.scopes.contains(.read) { return .ofAll }
        guard let user = caller.userID else {
            throw Self.missingScope("the token's scope must hold \(Self.scope), or its role be the service role")
        }
        return .ofOwn(user)
    }

    /// Who may administer, and asks: a key or a token with the admin scope; where neither is wanted, who may read.
    /// Throws `APIProblem`.
    func administrator(_ request: Request, _ context: APIContext) async throws -> AuditActor {
        let credentials = Credentials(authorization: request.headers[values: .authorization])
        var isToken = false
        if case .token = credentials { isToken = !verifier.isEmpty }
        if keys.wantsKeys, !isToken {
            switch keys.verdict(on: credentials, wanting: .admin, clientSubject: nil, at: .now) {
            case .granted(let grant): return .key(grant.record.id, address: context.peer, clientSubject: nil)
            case .refused(let refusal):
                try? await Task.sleep(for: failureDelay)
                throw APIProblem(refusal)
            case .open: break
            }
        }
        guard !verifier.isEmpty else {
            try checkLocal(request, context)
            return AuditActor(.system, name: "unknown", origin: context.peer)
        }
        let caller = try await verifier.caller(of: request)
        guard caller.scopes.contains(.admin) else {
            throw APIProblem(.forbidden, "missing_scope", "the token's scope must hold the one of jwt.admin_scope")
        }
        return AuditActor(.key, name: "token" + (caller.userID.map { " of \($0)" } ?? ""), origin: context.peer)
    }

    /// Of a route that shows other users' rows too.
    static let notOwn = missingScope(
        "this is not of one user: the token's scope must hold \(scope), or its role be the service role; without, it reads "
            + "the conversations and counts of its sub alone")

    private static func missingScope(_ message: String) -> APIProblem {
        var problem = APIProblem(.forbidden, "missing_scope", message)
        problem.headers[.wwwAuthenticate] =
            "Bearer realm=\"millrace\", error=\"insufficient_scope\", scope=\"\(scope)\""
        return problem
    }

    /// A page of a foreign site can make a browser on this machine ask, but not under this machine's name. A proxy on
    /// this machine asks for others: it says so, or speaks HTTP/1.0 (nginx does, told nothing else), to which the intake adds Via.
    private func checkLocal(_ request: Request, _ context: APIContext) throws(APIProblem) {
        if context.isUnixSocket { return }
        let isDirect = !request.headers.contains { Self.isProxyField($0.name.canonicalName) }
        guard context.isLocal, isOpenOnLoopback, isDirect, Self.isLocal(host: request.head.authority ?? "") else {
            throw APIProblem(
                .forbidden, "no_keys",
                "without jwt keys in the configuration only this machine reads: over a Unix socket, or while "
                    + "api.open_on_loopback over loopback, without a proxy and under the name localhost or its loopback "
                    + "address; configure jwt.secret, jwt.jwks_file or [[jwt.keys]]")
        }
    }

    private static func isProxyField(_ name: String) -> Bool {
        name.hasPrefix("x-forwarded-") || proxyFields.contains(name)
    }

    static func isLocal(host: String) -> Bool {
        if host.hasPrefix("[") { return host.hasPrefix("[::1]") }
        let name = host.prefix { $0 != ":" }.lowercased()
        let parts = name.split(separator: ".", omittingEmptySubsequences: false)
        return name == "localhost" || parts.count == 4 && parts[0] == "127" && parts.allSatisfy { UInt8($0) != nil }
    }
}

/// What the routes know of a request's connection.
struct APIContext: RequestContext {
    var coreContext: CoreRequestContextStorage
    /// The connection came in over loopback or a Unix socket.
    let isLocal: Bool
    let isUnixSocket: Bool
    /// The client's address, without a port.
    let peer: String

    init(source: ApplicationRequestContextSource) {
        coreContext = .init(source: source)
        let address = source.channel.localAddress
        peer = source.channel.remoteAddress?.ipAddress ?? "unix socket"
        isUnixSocket = address?.pathname != nil && address?.ipAddress == nil
        isLocal = isUnixSocket || address?.ipAddress.map { $0 == "::1" || $0.hasPrefix("127.") } ?? false
    }
}

extension TokenVerifier {
    /// Of `Authorization: Bearer`. Throws `APIProblem`, a 401.
    func caller(of request: Request) async throws -> Caller {
        do {
            let header = request.headers[.authorization] ?? ""
            let parts = header.split(separator: " ", maxSplits: 1)
            guard parts.count == 2, parts[0].lowercased() == "bearer" else { throw TokenError.missingToken }
            return try await verify(String(parts[1].drop { $0 == " " }))
        } catch let error as TokenError {
            throw APIProblem(error)
        }
    }
}
