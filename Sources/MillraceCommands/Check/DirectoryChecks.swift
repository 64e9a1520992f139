internal import Glibc
internal import MillraceConfiguration
internal import MillraceConsole
internal import MillraceSpool

/// The spool's directory and its disk.
struct DirectoryChecks {
    let configuration: DaemonConfiguration

    func run() -> [CheckResult] {
        let directory = configuration.spoolDirectory
        let existing = Self.nearestExisting(directory)
        return [permission(directory, existing), free(existing)] + contents(directory)
    }

    private func permission(_ directory: String, _ existing: String) -> CheckResult {
        var status = stat()
        let isDirectory = stat(existing, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
        let isThere = existing == directory
        let detail =
            isThere
            ? "\(directory), of user \(status.st_uid); this check runs as user \(geteuid())"
            : "\(directory) will be made under \(existing)"
        return CheckResult(
            "spool directory", ok: isDirectory && access(existing, W_OK | X_OK) == 0, detail: detail,
            fix: isDirectory
                ? "Give \(existing) to the user who runs the daemon, or run as that user, or set spool.directory."
                : "\(existing) is no directory: set spool.directory or --data-directory.")
    }

    private func free(_ existing: String) -> CheckResult {
        var disk = statvfs()
        guard statvfs(existing, &disk) == 0 else {
            return CheckResult(
                "free disk", ok: false, detail: "\(existing): \(String(cString: strerror(errno)))",
                fix: "Check that the disk is mounted.")
        }
        let free = Int(disk.f_bavail) * Int(disk.f_frsize)
        let spool = configuration.spool
        let wanted = spool.freeBytes + spool.segmentBytes
        var detail =
            "\(Format.bytes(free)) free; the spool takes up to \(Format.bytes(spool.bytes)) (spool.bytes), and nothing "
            + "while less than \(Format.bytes(spool.freeBytes)) are free (spool.free_bytes)"
        let room = max(0, free - spool.freeBytes)
        if room < spool.bytes { detail += "; here it gets \(Format.bytes(room)) more at most" }
        return CheckResult(
            "free disk", ok: free >= wanted, detail: detail,
            fix: "Free \(Format.bytes(max(0, wanted - free))) at least, or lower spool.free_bytes.")
    }

    private func contents(_ directory: String) -> [CheckResult] {
        guard access(directory, F_OK) == 0 else { return [] }
        do {
            // Headers only: a check must not read gigabytes.
            let report = try SpoolInspector(directory: directory).inspect(verifiesPayloads: false)
            let setAside = report.setAside.isEmpty ? "" : ", \(report.setAside.count) damaged pieces set aside"
            return [
                CheckResult(
                    "spool", ok: true,
                    detail: "\(report.segments.count) segments, \(Format.bytes(report.fileBytes))\(setAside)", fix: "")
            ]
        } catch {
            return [
                CheckResult(
                    "spool", ok: false, detail: "\(error)",
                    fix: "Check the permissions of \(directory) and its disk.")
            ]
        }
    }

    /// It, or the parent of it that is there.
    static func nearestExisting(_ path: String) -> String {
        var path = path
        while path.count > 1, access(path, F_OK) != 0 {
            guard let slash = path.lastIndex(of: "/") else { return "." }
            path = slash == path.startIndex ? "/" : String(path[..<slash])
        }
        return path
    }
}
