internal import Glibc

/// Who PostgreSQL runs as: ourselves, or, because it refuses root, the user `postgres`.
struct ServerAccount {
    let name: String
    let userID: uid_t
    let groupID: gid_t
    /// Whether programs go through `runuser`.
    let isOther: Bool

    static func current() throws(EmbeddedClusterError) -> ServerAccount {
        guard geteuid() == 0 else {
            return ServerAccount(name: "", userID: geteuid(), groupID: getegid(), isOther: false)
        }
        guard let entry = getpwnam("postgres") else {
            throw EmbeddedClusterError(
                code: .userMissing,
                message: "PostgreSQL does not run as root, and there is no user postgres to run it as",
                hint: "Install Debian's postgresql package, which makes the user, or start Millrace as another user.")
        }
        return ServerAccount(
            name: "postgres", userID: entry.pointee.pw_uid, groupID: entry.pointee.pw_gid, isOther: true)
    }

    /// `turn`: stays taken until the program has ended, whatever becomes of this process. Not for one that starts a server.
    func run(_ arguments: [String], holding turn: StartTurn? = nil, timeout: Duration) -> ChildProcess.Output {
        ChildProcess.run(
            isOther ? ["runuser", "-u", name, "--"] + arguments : arguments, holding: turn?.descriptor, timeout: timeout
        )
    }

    /// Makes `path` this account's own, mode 0700. Refuses what someone else put there.
    func makeDirectory(_ path: String) throws(EmbeddedClusterError) {
        if mkdir(path, 0o700) == 0 {
            if isOther { lchown(path, userID, groupID) }
        } else if errno != EEXIST {
            throw unreachable(path, String(cString: strerror(errno)))
        }
        var status = stat()
        guard lstat(path, &status) == 0 else { throw unreachable(path, String(cString: strerror(errno))) }
        guard status.st_mode & S_IFMT == S_IFDIR, status.st_uid == userID else {
            throw unreachable(path, "it belongs to someone else")
        }
        chmod(path, 0o700)
    }

    /// Every directory above `path` must let the account through.
    func checkReach(_ path: String) throws(EmbeddedClusterError) {
        guard isOther, run(["test", "-x", path], timeout: .seconds(10)).status != 0 else { return }
        var ancestor = ""
        for part in path.split(separator: "/") {
            ancestor += "/\(part)"
            if run(["test", "-x", ancestor], timeout: .seconds(10)).status == 0 { continue }
            throw EmbeddedClusterError(
                code: .directoryUnreachable,
                message: "the user \(name), whom PostgreSQL runs as, may not enter \(ancestor)",
                hint: "Choose another --data-directory, such as /var/lib/millrace, or run: chmod o+x \(ancestor)")
        }
    }

    private func unreachable(_ path: String, _ reason: String) -> EmbeddedClusterError {
        EmbeddedClusterError(
            code: .directoryUnreachable, message: "\(path) cannot be used: \(reason)",
            hint: "Choose another --data-directory, or give this one to the user who runs Millrace.")
    }
}
