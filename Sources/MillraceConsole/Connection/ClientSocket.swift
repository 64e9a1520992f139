internal import Glibc

/// A connected, non-blocking stream socket, TLS on it where the destination has that. Closed when the value ends.
package struct ClientSocket: ~Copyable {
    package enum ReadResult: Equatable {
        case bytes(Int)
        case wouldBlock
        case ended
    }

    package let descriptor: Int32
    /// Nil: in plain text.
    private let session: TLSSession?

    /// Connects, trying each address of the host in turn, and shakes hands where TLS is spoken. Blocks up to `timeout` for
    /// each of these.
    package init(connectingTo destination: Destination, timeout: Duration) throws(CommandError) {
        let endpoint = destination.endpoint
        let connected =
            switch endpoint {
            case .unix(let path): try Self.connect(unixPath: path, endpoint: endpoint, timeout: timeout)
            case .tcp(let host, let port):
                try Self.connect(host: host, port: port, endpoint: endpoint, timeout: timeout)
            }
        do throws(CommandError) {
            session = try destination.tls.map { (tls) throws(CommandError) in
                try TLSSession(descriptor: connected, tls, to: destination, timeout: timeout)
            }
        } catch {
            close(connected)
            throw error
        }
        descriptor = connected
    }

    deinit {
        session?.end()
        close(descriptor)
    }

    /// Reads what is there into `buffer`, which has 64 KiB or more. Fails when the connection broke.
    package func read(into buffer: UnsafeMutableRawBufferPointer) -> Result<ReadResult, CommandError> {
        if let session { return session.read(into: buffer) }
        let result = Self.receive(descriptor, into: buffer)
        // A TLS alert. No daemon's answer in plain text has a control character at its beginning.
        guard case .success(.bytes(let count)) = result, count >= 2, buffer[0] == 0x15, buffer[1] == 0x03 else {
            return result
        }
        return .failure(
            CommandError("this address speaks TLS", hint: "Give --tls, and --ca where its authority is your own"))
    }

    /// Whether a read of `count` bytes into a buffer of `room` took all that was there.
    package func isDrained(by count: Int, room: Int) -> Bool { session == nil && count < room }

    /// Writes as much as the socket takes now; 0 when it takes nothing. Fails when the connection broke. What was not taken is
    /// to be offered again as it is.
    package func write(_ bytes: UnsafeRawBufferPointer) -> Result<Int, CommandError> {
        guard !bytes.isEmpty else { return .success(0) }
        return session?.write(bytes) ?? Self.transmit(descriptor, bytes)
    }

    static func receive(
        _ descriptor: Int32, into buffer: UnsafeMutableRawBufferPointer
    ) -> Result<ReadResult, CommandError> {
        let count = recv(descriptor, buffer.baseAddress, buffer.count, 0)
        if count > 0 { return .success(.bytes(count)) }
        if count == 0 { return .success(.ended) }
        if errno == EAGAIN || errno == EINTR { return .success(.wouldBlock) }
        return .failure(broken("reading"))
    }

    static func transmit(_ descriptor: Int32, _ bytes: UnsafeRawBufferPointer) -> Result<Int, CommandError> {
        let count = send(descriptor, bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL))
        if count >= 0 { return .success(count) }
        if errno == EAGAIN || errno == EINTR { return .success(0) }
        return .failure(broken("writing"))
    }

    private static func broken(_ operation: String) -> CommandError {
        CommandError(
            "\(operation) failed: \(String(cString: strerror(errno)))", hint: "Check whether the daemon still runs",
            isRetryable: true)
    }

    private static func failed(_ endpoint: Endpoint, _ reason: String) -> CommandError {
        CommandError(
            "cannot connect to \(endpoint): \(reason)",
            hint: "Check that `millrace serve` runs and listens there", isRetryable: true)
    }

    private static func connect(
        unixPath path: String, endpoint: Endpoint, timeout: Duration
    ) throws(CommandError) -> Int32 {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(path.utf8)
        guard bytes.count < MemoryLayout.size(ofValue: address.sun_path) else {
            throw failed(endpoint, "the path is too long for a Unix socket")
        }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        let descriptor = try withUnsafePointer(to: &address) { (pointer) throws(CommandError) in
            try connect(
                family: AF_UNIX, UnsafeRawPointer(pointer).assumingMemoryBound(to: sockaddr.self),
                socklen_t(MemoryLayout<sockaddr_un>.size), endpoint: endpoint, timeout: timeout)
        }
        do throws(CommandError) {
            try UnixPeer(of: descriptor).checkServer(of: path)
        } catch {
            close(descriptor)
            throw error
        }
        return descriptor
    }

    private static func connect(
        host: String, port: UInt16, endpoint: Endpoint, timeout: Duration
    ) throws(CommandError) -> Int32 {
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var first: UnsafeMutablePointer<addrinfo>?
        let status = getaddrinfo(host, String(port), &hints, &first)
        guard status == 0 else { throw failed(endpoint, String(cString: gai_strerror(status))) }
        defer { freeaddrinfo(first) }
        var failure = failed(endpoint, "the name has no address")
        var next = first
        while let info = next?.pointee {
            do throws(CommandError) {
                return try connect(
                    family: info.ai_family, info.ai_addr, info.ai_addrlen, endpoint: endpoint, timeout: timeout)
            } catch {
                failure = error
            }
            next = info.ai_next
        }
        throw failure
    }

    private static func connect(
        family: Int32, _ address: UnsafePointer<sockaddr>, _ length: socklen_t, endpoint: Endpoint, timeout: Duration
    ) throws(CommandError) -> Int32 {
        let descriptor = socket(family, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0)
        guard descriptor >= 0 else { throw failed(endpoint, String(cString: strerror(errno))) }
        do throws(CommandError) {
            if Glibc.connect(descriptor, address, length) != 0 {
                // A Unix socket whose queue is full answers EAGAIN at once; the caller tries again.
                guard errno == EINPROGRESS else { throw failed(endpoint, String(cString: strerror(errno))) }
                var entry = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                guard poll(&entry, 1, timeout.milliseconds) == 1 else { throw failed(endpoint, "no answer in time") }
                var code: Int32 = 0
                var size = socklen_t(MemoryLayout<Int32>.size)
                getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &code, &size)
                guard code == 0 else { throw failed(endpoint, String(cString: strerror(code))) }
            }
            if family != AF_UNIX {
                var on: Int32 = 1
                setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<Int32>.size))
            }
            return descriptor
        } catch {
            close(descriptor)
            throw error
        }
    }
}

extension Duration {
    /// For `poll`: whole milliseconds, rounded up, at least 0.
    package var milliseconds: Int32 {
        let (seconds, attoseconds) = components
        guard seconds >= 0, attoseconds >= 0 else { return 0 }
        return Int32(clamping: seconds * 1000 + (attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000)
    }
}

/// Who is at the other end of a Unix socket: the user whose process listened on it.
struct UnixPeer {
    /// `SO_PEERCRED` and its answer, `struct ucred`, which Swift's Glibc leaves out: pid, uid, gid.
    private static let option: Int32 = 17
    private static let serverUser = "millrace"

    /// nil when the kernel does not say.
    let userID: uid_t?

    init(of descriptor: Int32) {
        var credentials: [UInt32] = [0, 0, 0]
        var size = socklen_t(MemoryLayout<UInt32>.size * credentials.count)
        let status = getsockopt(descriptor, SOL_SOCKET, Self.option, &credentials, &size)
        userID = status == 0 && size == 12 ? credentials[1] : nil
    }

    /// Throws unless root, this user, the user `millrace` or the owner of the socket's folder serves `path`. In a folder that
    /// others may write to, such as /tmp, anyone could have put a socket of that name.
    func checkServer(of path: String) throws(CommandError) {
        var allowed: Set<uid_t> = [0, geteuid()]
        if let entry = getpwnam(Self.serverUser) { allowed.insert(entry.pointee.pw_uid) }
        let folder = String(path.prefix(upTo: path.lastIndex(of: "/") ?? path.startIndex))
        var status = stat()
        if stat(folder.isEmpty ? "/" : folder, &status) == 0 { allowed.insert(status.st_uid) }
        guard let userID, allowed.contains(userID) else {
            let name = userID.map { id in
                getpwuid(id).map { String(cString: $0.pointee.pw_name) } ?? "with the id \(id)"
            }
            throw CommandError(
                "unix:\(path) is served by \(name.map { "the user \($0)" } ?? "an unknown user"), not by Millrace; nothing "
                    + "was sent",
                hint:
                    "Let the daemon listen in a folder that only its user may write to, such as /run/millrace, or run this "
                    + "command as that user")
        }
    }
}
