internal import CLibPQ

/// A libpq connection string, read by libpq's own parser, so that what is secret in it is known however it is spelled.
///
/// URLs of other clients are taken as they are written for these: a driver in the scheme (`postgresql+asyncpg://`) and
/// parameters that only concern the client (`?schema=app&pool_timeout=5`) are left out.
package struct ConnectionString {
    /// One of the string's parameters.
    private struct Option {
        var keyword: String
        var value: String
        var isSecret: Bool

        /// A URL within a value may have a password of its own.
        var isOpen: Bool { !isSecret && !value.contains("://") }
    }

    /// As libpq takes it, passwords and all.
    package let libpq: String
    /// Names of the parameters that are left out, each once, in their order.
    package let leftOut: [String]
    /// nil: libpq can't read it, or reads something else than was meant.
    private let options: [Option]?
    /// Why, without anything that the string says.
    private let reason: String

    package init(_ text: String) {
        (libpq, leftOut) = Self.translated(text)
        (options, reason) = Self.parse(libpq)
    }

    /// Fit to be shown: without passwords, and without what can't be told from one. The empty string stays empty.
    package var shown: String {
        guard !libpq.isEmpty else { return "" }
        guard let options else { return (Self.scheme(of: libpq) ?? "") + "***" }
        return Self.scheme(of: libpq).map { Self.shown(uri: libpq.dropFirst($0.count), scheme: $0) }
            ?? options.map { "\($0.keyword)=\(Self.shown($0))" }.joined(separator: " ")
    }

    /// Why it cannot be used, without anything that it says, and how to write it: libpq could not read it, or would take a
    /// part of a password for a host, and its own messages would then quote what must not be seen.
    package var flaw: (message: String, hint: String)? {
        guard options == nil, !libpq.isEmpty else { return nil }
        return (
            "the connection string cannot be parsed: \(reason)",
            "Write it like postgresql://user:password@host:5432/database, with @ : / ? # % and blanks of a user or "
                + "password as %40 %3A %2F %3F %23 %25 %20; or like host=… dbname=… password='…', with \\' for ' and "
                + "\\\\ for \\."
        )
    }

    /// Throws where there is a `flaw`.
    func check() throws(PostgresError) {
        guard let flaw else { return }
        throw PostgresError(code: .connectionFailed, message: flaw.message, hint: flaw.hint)
    }

    /// What libpq or the server said of it, without its passwords.
    func cleaned(_ message: String) -> String {
        guard let options else { return Self.unquoted(message) }
        let open = options.filter(\.isOpen).map(\.value)
        return options.filter { !$0.isOpen && !$0.value.isEmpty && !open.contains($0.value) }
            .reduce(message) { $0.replacing($1.value, with: "***") }
    }

    /// For a program of PostgreSQL: what may stand on its command line, where others see it, and what belongs into its
    /// environment. Throws where there is a `flaw`, and where it has a secret that only a command line could hand on.
    package func forPrograms() throws(PostgresError) -> (conninfo: String, environment: [String: String]) {
        try check()
        let options = options ?? []
        let password = options.first { $0.keyword == "password" }
        if let secret = options.first(where: { !$0.isOpen && $0.keyword != "password" }) {
            throw PostgresError(
                code: .connectionFailed,
                message: "the connection string has \(secret.keyword), which can't be handed to PostgreSQL's programs",
                hint: "Put it into a service file (service=…), which they read themselves.")
        }
        return (
            Self.conninfo(options.filter { $0.keyword != "password" }), password.map { ["PGPASSWORD": $0.value] } ?? [:]
        )
    }

    /// The same with each of its other hosts first: passwords and all, in the notation with keywords. None where it names one
    /// host at most.
    package var otherOrders: [String] {
        guard let options else { return [] }
        let lists = options.map { option in
            ["host", "hostaddr", "port"].contains(option.keyword)
                ? option.value.split(separator: ",", omittingEmptySubsequences: false) : []
        }
        let count = lists.map(\.count).max() ?? 0
        guard count > 1 else { return [] }
        return (1..<count).map { first in
            Self.conninfo(
                zip(options, lists).map { option, list in
                    // One port may stand for all hosts.
                    guard list.count == count else { return option }
                    var turned = option
                    turned.value = (list[first...] + list[..<first]).joined(separator: ",")
                    return turned
                })
        }
    }

    private static func conninfo(_ options: [Option]) -> String {
        options.map { "\($0.keyword)='\($0.value.replacing("\\", with: "\\\\").replacing("'", with: "\\'"))'" }
            .joined(separator: " ")
    }

    // MARK: - Reading

    private static func parse(_ text: String) -> (options: [Option]?, flaw: String) {
        guard !text.utf8.contains(0) else { return (nil, "it holds a NUL byte") }
        guard text.contains("=") || scheme(of: text) != nil else {
            return text.isEmpty ? ([], "") : (nil, "it is neither a URL nor has it keywords")
        }
        var message: UnsafeMutablePointer<CChar>?
        let first = PQconninfoParse(text, &message)
        defer {
            PQconninfoFree(first)
            PQfreemem(message)
        }
        guard let first else {
            let reason = message.map { String(cString: $0) } ?? ""
            return (nil, unquoted(reason.split(separator: "\n").joined(separator: " ")))
        }
        var options: [Option] = []
        var next = first
        while let keyword = next.pointee.keyword.map({ String(cString: $0) }) {
            if let value = next.pointee.val {
                let isSecret = next.pointee.dispchar.map { String(cString: $0) } == "*"
                options.append(Option(keyword: keyword, value: String(cString: value), isSecret: isSecret))
            }
            next += 1
        }
        if let scheme = scheme(of: text), isMisread(text.dropFirst(scheme.count), options) {
            return (nil, "it has an @, :, / or ? too many")
        }
        return (options, "")
    }

    /// libpq's schemes of a URL.
    private static func scheme(of text: String) -> String? {
        ["postgresql://", "postgres://"].first { text.hasPrefix($0) }
    }

    /// Parameters that mean something to other clients only; libpq would refuse the whole URL for them. Millrace's own tables
    /// are in the schemas public and projections, whatever `schema` an application has its tables in.
    private static let foreignParameters: Set<Substring> = [
        "schema", "connection_limit", "pool_timeout", "socket_timeout", "pgbouncer", "pool", "pool_size",
        "pool_recycle",
        "pool_pre_ping", "max_overflow", "min_size", "max_size", "prepared_statements", "prepared_statement_cache_size",
        "prepareThreshold", "statement_cache_size", "command_timeout", "async_fallback", "sslaccept", "sslidentity",
    ]

    /// `postgresql+asyncpg` and the like without the driver, in lower case; nil when it is none of PostgreSQL's.
    private static func clientScheme(_ written: Substring) -> String? {
        let parts = written.lowercased().split(separator: "+", maxSplits: 1, omittingEmptySubsequences: false)
        let isDriver = parts.dropFirst().allSatisfy { driver in
            !driver.isEmpty
                && driver.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_" || $0 == "-") }
        }
        return isDriver && ["postgresql", "postgres"].contains(parts[0]) ? String(parts[0]) : nil
    }

    private static func translated(_ text: String) -> (libpq: String, leftOut: [String]) {
        guard let colon = text.firstIndex(of: ":"), text[colon...].hasPrefix("://"),
            let scheme = clientScheme(text[..<colon])
        else { return (text, []) }
        let rest = text[colon...].dropFirst("://".count)
        let translated = scheme + "://"
        // As `shown` does: what follows the first question mark behind user and password are parameters.
        guard let question = split(rest).others.firstIndex(of: "?") else { return (translated + rest, []) }
        var (kept, leftOut): ([String], [String]) = ([], [])
        for parameter in rest[rest.index(after: question)...].split(separator: "&", omittingEmptySubsequences: false) {
            let name = parameter.prefix { $0 != "=" }
            if foreignParameters.contains(name) {
                if !leftOut.contains(String(name)) { leftOut.append(String(name)) }
            } else if name == "ssl", parameter != "ssl=true" {
                // asyncpg's name of sslmode.
                kept.append("sslmode\(parameter.dropFirst(name.count))")
            } else {
                kept.append(String(parameter))
            }
        }
        return (translated + rest[..<question] + (kept.isEmpty ? "" : "?" + kept.joined(separator: "&")), leftOut)
    }

    /// What stands before the first @, unless a slash comes earlier; and what follows. So libpq ends user and password: of
    /// `u:p@ss@host` it would look up `ss@host`, of `u:p/ss@host` it would connect to `u`.
    private static func split(_ rest: Substring) -> (user: Substring?, others: Substring) {
        let end = rest.firstIndex { $0 == "@" || $0 == "/" } ?? rest.endIndex
        guard end < rest.endIndex, rest[end] == "@" else { return (nil, rest) }
        return (rest[..<end], rest[rest.index(after: end)...])
    }

    private static func isMisread(_ rest: Substring, _ options: [Option]) -> Bool {
        let (user, others) = split(rest)
        if others.prefix(while: { $0 != "?" }).contains("@") { return true }
        if user?.prefix(while: { $0 != ":" }).contains("?") == true { return true }
        let port = options.first { $0.keyword == "port" }?.value ?? ""
        return !port.allSatisfy { ($0.isASCII && $0.isNumber) || $0 == "," }
    }

    // MARK: - Showing

    private static func shown(uri rest: Substring, scheme: String) -> String {
        let (user, others) = split(rest)
        var shown = scheme
        if let user {
            let name = user.prefix { $0 != ":" }
            shown += name.endIndex == user.endIndex ? "\(name)@" : "\(name):***@"
        }
        let path = others.prefix { $0 != "?" }
        shown += path
        guard path.endIndex < others.endIndex else { return shown }
        let parameters = others[others.index(after: path.endIndex)...]
            .split(separator: "&", omittingEmptySubsequences: false)
        return shown + "?" + parameters.map { Self.shown(parameter: $0) }.joined(separator: "&")
    }

    /// `name=value` of a URL. libpq decodes the name too; it is asked whether what that makes is secret.
    private static func shown(parameter: Substring) -> String {
        let name = parameter.prefix { $0 != "=" }
        let own = ConnectionString.parse("postgresql:///?\(parameter)").options
        let isOpen = own?.allSatisfy(\.isOpen) ?? false
        return isOpen ? String(parameter) : "\(name)=***"
    }

    private static func shown(_ option: Option) -> String {
        guard option.isOpen else { return "***" }
        let isPlain = !option.value.isEmpty && option.value.allSatisfy { !$0.isWhitespace && $0 != "'" && $0 != "\\" }
        if isPlain { return option.value }
        return "'" + option.value.replacing("\\", with: "\\\\").replacing("'", with: "\\'") + "'"
    }

    /// Without all between the first and the last quotation mark, where libpq quotes the string.
    private static func unquoted(_ message: String) -> String {
        guard let first = message.firstIndex(of: "\""), let last = message.lastIndex(of: "\""), first < last else {
            return message
        }
        return message[...first] + "***" + message[last...]
    }
}

/// A property that prints as `***`, however what holds it is printed: at level debug the service group logs each stage with
/// all that is in it.
@propertyWrapper
package struct Unprinted<Value: Sendable>: Sendable, CustomStringConvertible, CustomDebugStringConvertible,
    CustomReflectable
{
    package var wrappedValue: Value

    package init(wrappedValue: Value) {
        self.wrappedValue = wrappedValue
    }

    package var description: String { "***" }
    package var debugDescription: String { description }
    package var customMirror: Mirror { Mirror(self, children: []) }
}
