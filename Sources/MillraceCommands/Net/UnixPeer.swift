internal import Glibc

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
                "unix:\(path) is served by \(name.map { "the user \($0)" } ?? "nobody knows whom"), not by Millrace; nothing "
                    + "was sent",
                hint:
                    "Let the daemon listen in a folder that only its user may write to, such as /run/millrace, or run this "
                    + "command as that user")
        }
    }
}
