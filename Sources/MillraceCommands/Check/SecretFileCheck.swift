internal import Glibc

/// Who else may read or change the files that secrets came from.
struct SecretFileCheck {
    /// All that a file of secrets may allow: its owner reads and writes, its group reads.
    private static let widestMode: mode_t = 0o640

    let files: [String]

    func run() -> CheckResult {
        let open = files.compactMap { file -> String? in
            var status = stat()
            guard stat(file, &status) == 0 else { return nil }
            let mode = status.st_mode & 0o777
            return mode & ~Self.widestMode == 0 ? nil : "\(file) (\(String(mode, radix: 8)))"
        }
        guard !open.isEmpty else {
            let detail = files.isEmpty ? "none are in files" : "\(files.joined(separator: ", ")): closed to others"
            return CheckResult("secrets", ok: true, detail: detail, fix: "")
        }
        return .warning(
            "secrets", detail: "others may read or change \(open.joined(separator: ", "))",
            fix: "chmod 0640, and chgrp to the daemon's group; what others could read, replace.")
    }
}
