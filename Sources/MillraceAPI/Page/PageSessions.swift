internal import Crypto
internal import MillraceAccess
internal import MillraceEvent
internal import Synchronization

/// The logins to the page, in memory: a restart ends them all.
package final class PageSessions: Sendable {
    private static let tokenBytes = 32

    private let table = Mutex(PageSessionTable())

    package init() {}

    /// Begins a session of a key; returns the cookie's value, 64 hexadecimal digits.
    func begin(_ grant: Grant, _ configuration: PageConfiguration) -> String {
        var random = SystemRandomNumberGenerator()
        let token = (0..<Self.tokenBytes).map { _ in UInt8.random(in: .min ... .max, using: &random) }
            .map { byte in (byte < 16 ? "0" : "") + String(byte, radix: 16) }.joined()
        table.withLock { $0.begin(Self.hash(token), grant, at: .now, configuration) }
        return token
    }

    /// What a cookie opens, and how much longer. Nil, and the session ends, where its key is no longer in force.
    ///
    /// - Parameter clientSubject: of the connection's verified client certificate.
    func grant(of token: String, in keys: KeyRing, clientSubject: String?) -> (grant: Grant, left: Duration)? {
        let hash = Self.hash(token)
        let now = ContinuousClock.now
        guard let session = table.withLock({ $0.session(hash, at: now) }) else { return nil }
        guard let grant = keys.renewed(session.grant, clientSubject: clientSubject, at: .now) else {
            end(token)
            return nil
        }
        table.withLock { $0.renew(hash, grant) }
        return (grant, session.endsAt - now)
    }

    func end(_ token: String) {
        table.withLock { $0.end(Self.hash(token)) }
    }

    /// What is kept of a cookie: who reads the daemon's memory can't make one of it, and comparing tells nothing.
    private static func hash(_ token: String) -> [UInt8] {
        Array(SHA256.hash(data: Array(token.utf8)))
    }
}
