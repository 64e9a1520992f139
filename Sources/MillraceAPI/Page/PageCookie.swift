/// The cookie of a login. Its value is random, says nothing, and opens nothing after its session.
struct PageCookie: Sendable, Equatable {
    /// Cookies know no ports: daemons on one host need names of their own.
    let name: String

    /// `port`: of the listener; nil for a Unix socket.
    init(port: Int?) {
        name = "millrace_session" + (port.map { "_\($0)" } ?? "")
    }

    /// The value in a field `Cookie`. Of several the last: a browser sends the one with the longer path first, and ours has
    /// the shortest.
    func value(in field: String?) -> String? {
        var found: String?
        for pair in (field ?? "").split(separator: ";") {
            let pair = pair.drop { $0 == " " }
            guard pair.hasPrefix(name + "=") else { continue }
            found = String(pair.dropFirst(name.utf8.count + 1))
        }
        return found
    }

    /// A field `Set-Cookie`. `lifetime`: zero takes it away.
    func field(_ value: String, lifetime: Duration, isSecure: Bool) -> String {
        "\(name)=\(value); Path=/; Max-Age=\(max(0, lifetime.components.seconds)); HttpOnly; SameSite=Strict"
            + (isSecure ? "; Secure" : "")
    }
}
