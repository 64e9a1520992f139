internal import CDispatch  // The compiler takes it for the module of `stat`.
internal import Glibc

/// Who may do what with a file or directory.
package struct FileStatus: Sendable {
    /// Permissions, with set-id bits and sticky bit.
    package let permissions: UInt32
    package let owner: UInt32
    package let group: UInt32

    /// nil when there is nothing at `path`.
    package init?(_ path: String) {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        permissions = status.st_mode & 0o7777
        owner = status.st_uid
        group = status.st_gid
    }
}
