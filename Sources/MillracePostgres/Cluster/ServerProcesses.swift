internal import FoundationEssentials
internal import Glibc

/// The processes of the server whose data is in a directory, as /proc shows them: each stands in that directory.
///
/// A pid file alone does not say whether the server runs: after a crash its number may be another program's.
struct ServerProcesses {
    /// Absolute.
    let data: String

    /// The server's first process, whose children the others are; nil when it does not run.
    var postmaster: pid_t? {
        if let pid = Self.pid(inLockFile: data + "/postmaster.pid"), isPostmaster(pid) { return pid }
        return all.first(where: isPostmaster)
    }

    /// Those of a server that was killed end by themselves, and keep the next one from starting until then.
    var all: [pid_t] {
        guard let place = Self.identity(data) else { return [] }
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        return names.compactMap { pid_t($0) }.filter { isServer($0, in: place) }.sorted()
    }

    /// The number on a lock file's first line; nil when there is no file, or none that is a pid.
    static func pid(inLockFile path: String) -> pid_t? {
        guard let text = FileManager.default.contents(atPath: path) else { return nil }
        let line = String(decoding: text.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
        return pid_t(line.trimmingPrefix("-")).flatMap { $0 > 0 ? $0 : nil }
    }

    func isPostmaster(_ pid: pid_t) -> Bool {
        guard let place = Self.identity(data), isServer(pid, in: place) else { return false }
        // The others call themselves "postgres: checkpointer" and the like.
        return !Self.read("/proc/\(pid)/cmdline").hasPrefix("postgres: ")
    }

    private func isServer(_ pid: pid_t, in place: FileIdentity) -> Bool {
        Self.read("/proc/\(pid)/comm") == "postgres\n" && Self.identity("/proc/\(pid)/cwd") == place
    }

    private struct FileIdentity: Equatable {
        var device: dev_t
        var inode: ino_t
    }

    private static func identity(_ path: String) -> FileIdentity? {
        var status = stat()
        return stat(path, &status) == 0 ? FileIdentity(device: status.st_dev, inode: status.st_ino) : nil
    }

    /// The text of a file of /proc, which has no size.
    private static func read(_ path: String) -> String {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return "" }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: 256)
        let count = Glibc.read(descriptor, &bytes, bytes.count)
        return String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
    }
}
