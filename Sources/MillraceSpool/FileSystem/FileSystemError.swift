internal import Glibc

/// A failed call on the disk.
package struct FileSystemError: Error, Sendable, Equatable, CustomStringConvertible {
    package enum Call: String, Sendable {
        case open, write, read, size, synchronize, truncate, rename, remove, list, lock
        case synchronizeDirectory = "synchronize_directory"
        case makeDirectory = "make_directory"
        case freeBytes = "free_bytes"
    }

    package var call: Call
    package var errno: Int32

    package init(_ call: Call, errno: Int32) {
        self.call = call
        self.errno = errno
    }

    /// The disk, the quota or the inodes have run out: heals when someone makes room.
    package var isOutOfSpace: Bool { errno == ENOSPC || errno == EDQUOT }
    package var isMissing: Bool { errno == ENOENT }
    package var isThereAlready: Bool { errno == EEXIST }
    /// The device could not read or write the block.
    package var isInputOutput: Bool { errno == EIO }

    package var description: String { "\(call.rawValue): \(String(cString: strerror(errno))) (errno \(errno))" }
}
