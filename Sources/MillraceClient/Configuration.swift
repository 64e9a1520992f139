extension MillraceClient {
    /// Where the daemon is, and what the client may hold and wait for.
    ///
    /// ```swift
    /// var configuration = MillraceClient.Configuration(host: "millrace.example", tls: .init(), key: key)
    /// configuration.whenFull = .refuse
    /// ```
    public struct Configuration: Sendable {
        /// Where a daemon listens for lines: one of its `tcp.listen`.
        public enum Address: Sendable, Hashable {
            /// A host name or an address, and a port.
            case host(String, port: Int)
            /// The path of a Unix socket, which speaks no TLS.
            case unix(path: String)
        }

        /// What an event waits for.
        public enum Acknowledgement: String, Sendable, Hashable {
            /// It is durable on the daemon's disk, and will be in the tables, exactly once.
            case spooled
            /// It is committed in PostgreSQL. The answer takes as long as that does.
            case committed
        }

        /// What happens to an event that the buffer has no room for.
        public enum FullPolicy: Sendable, Hashable {
            /// Who sends it waits until there is room: the app slows down as the daemon does.
            case wait
            /// It is refused with ``MillraceClientError/Code/bufferFull``: the app goes on, and decides.
            case refuse
        }

        /// TLS of version 1.2 or later, with the daemon's name verified.
        public struct TLS: Sendable, Hashable {
            /// A PEM file of the authorities that are believed; nil: the system's.
            public var authorities: String?
            /// PEM files of the client's certificate, its chain after it, and of its private key, for a daemon that wants one.
            public var certificate: String?
            /// See `certificate`; both or neither.
            public var privateKey: String?

            /// TLS that believes `authorities`, and shows `certificate` where there is one. Paths of PEM files.
            public init(authorities: String? = nil, certificate: String? = nil, privateKey: String? = nil) {
                self.authorities = authorities
                self.certificate = certificate
                self.privateKey = privateKey
            }
        }

        /// Where the daemon listens.
        public var address: Address
        /// Nil: plain text, for loopback, Unix sockets and networks that others protect.
        public var tls: TLS?
        /// A key of `millrace keys create --scope write`, for a daemon that has keys. It is in no log and no error.
        public var key: String?
        /// What ``MillraceClient/send(_:)`` and ``MillraceClient/flush()`` wait for.
        public var acknowledgement = Acknowledgement.spooled

        /// Events that have no answer yet, at most: 1 or more.
        public var bufferEventsMax = 10_000
        /// Bytes of their lines, at most: 1 or more. 8 MiB.
        public var bufferBytesMax = 8 << 20
        /// What happens to an event beyond these bounds.
        public var whenFull = FullPolicy.wait

        /// The first wait after a connection that came to nothing; it doubles up to ``backoffMax``, and up to half of each is
        /// taken off by chance, so that many clients don't come back at once.
        public var backoffMin = Duration.milliseconds(100)
        /// The longest wait.
        public var backoffMax = Duration.seconds(30)
        /// How long connections may come to nothing in a row, while events wait, before the client ends; nil: for ever.
        public var giveUpAfter: Duration?

        /// How long a connection may take until it is there, and the daemon's greeting after it.
        public var connectTimeout = Duration.seconds(10)
        /// How long nothing may be answered while events are on their way, before they go out again over a new connection.
        public var answerTimeout = Duration.seconds(60)
        /// How long a shutdown waits for answers.
        public var shutdownTimeout = Duration.seconds(10)

        /// Told of each enqueued event that the daemon refused, on the client's own task: keep it short. What
        /// ``MillraceClient/send(_:)`` sends is told by its error.
        public var onRefused: (@Sendable (Refusal) -> Void)?

        /// A daemon at an address.
        public init(_ address: Address, tls: TLS? = nil, key: String? = nil) {
            self.address = address
            self.tls = tls
            self.key = key
        }

        /// A daemon at a host's port.
        public init(host: String, port: Int = 7171, tls: TLS? = nil, key: String? = nil) {
            self.init(.host(host, port: port), tls: tls, key: key)
        }
    }
}

extension MillraceClient.Configuration.Address: CustomStringConvertible {
    /// `host:port` or `unix:/path`, as the daemon's own settings have it.
    public var description: String {
        switch self {
        case .host(let host, let port): host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
        case .unix(let path): "unix:\(path)"
        }
    }
}

extension MillraceClient.Configuration: CustomStringConvertible, CustomReflectable {
    /// The address; never the key.
    public var description: String { "\(address)" }

    /// What `dump` and debuggers show: never the key.
    public var customMirror: Mirror {
        Mirror(self, children: ["address": address, "hasKey": key != nil], displayStyle: .struct)
    }
}

extension MillraceClient.Configuration {
    /// Throws for bounds and a key that can't work.
    func validate() throws(MillraceClientError) {
        func check(_ isFine: Bool, _ what: String, _ hint: String) throws(MillraceClientError) {
            guard isFine else { throw MillraceClientError(.invalidConfiguration, what, hint: hint) }
        }
        try check(bufferEventsMax > 0, "bufferEventsMax is \(bufferEventsMax)", "Give 1 or more")
        try check(bufferBytesMax > 0, "bufferBytesMax is \(bufferBytesMax)", "Give 1 or more")
        try check(
            backoffMin > .zero && backoffMin <= backoffMax, "backoffMin is \(backoffMin), backoffMax \(backoffMax)",
            "Give more than nothing, and no more than backoffMax")
        try check(
            connectTimeout > .zero && answerTimeout > .zero, "a time limit is nothing", "Give more than nothing")
        // Whatever else is in it would end the greeting's line or its string.
        let isPlain = (key ?? "m").utf8.allSatisfy { (0x21...0x7E).contains($0) && $0 != 0x22 && $0 != 0x5C }
        try check(isPlain && key != "", "the key is none", "Give the one line that `millrace keys create` prints, mr_…")
        switch address {
        case .host(_, let port):
            try check((1...65535).contains(port), "\(port) is no port", "Give the one of the daemon's tcp.listen")
        case .unix:
            try check(tls == nil, "a Unix socket speaks no TLS", "Leave tls out")
        }
        guard let tls else { return }
        try check(
            (tls.certificate == nil) == (tls.privateKey == nil), "certificate and privateKey go together",
            "Give both, or neither")
    }
}
