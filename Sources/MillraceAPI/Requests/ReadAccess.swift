internal import Hummingbird
internal import HTTPTypes
internal import NIOCore

/// Who may read: a token with the scope `millrace:read` or of the service role. Without any key in the configuration,
/// callers on this machine, by its own name.
struct ReadAccess: Sendable {
    static let scope = "millrace:read"

    let verifier: TokenVerifier

    /// Throws `APIProblem`.
    func check(_ request: Request, _ context: APIContext) async throws {
        guard !verifier.isEmpty else { return try checkLocal(request, context) }
        let caller = try await verifier.caller(of: request)
        guard caller.isService || caller.scopes.contains(Self.scope) else {
            var problem = APIProblem(
                .forbidden, "missing_scope",
                "the token's scope must hold \(Self.scope), or its role be the service role")
            problem.headers[.wwwAuthenticate] =
                "Bearer realm=\"millrace\", error=\"insufficient_scope\", scope=\"\(Self.scope)\""
            throw problem
        }
    }

    /// A page of a foreign site can make a browser on this machine ask, but not under this machine's name.
    private func checkLocal(_ request: Request, _ context: APIContext) throws(APIProblem) {
        let host = request.head.authority ?? ""
        guard context.isLocal, context.isUnixSocket || Self.isLocal(host: host) else {
            throw APIProblem(
                .forbidden, "no_keys",
                "without jwt keys in the configuration only this machine reads, under the name localhost or its "
                    + "loopback address; configure jwt.secret, jwt.jwks_file or [[jwt.keys]]")
        }
    }

    static func isLocal(host: String) -> Bool {
        if host.hasPrefix("[") { return host.hasPrefix("[::1]") }
        let name = host.prefix { $0 != ":" }.lowercased()
        let parts = name.split(separator: ".", omittingEmptySubsequences: false)
        return name == "localhost" || parts.count == 4 && parts[0] == "127" && parts.allSatisfy { UInt8($0) != nil }
    }
}
