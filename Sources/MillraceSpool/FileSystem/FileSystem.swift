internal import Glibc

/// The few calls the spool makes on a disk, so that tests can let each of them fail. Every call blocks.
package protocol FileSystem: Sendable {
    func open(_ path: String, _ mode: OpenMode) throws(FileSystemError) -> FileID
    /// Never fails for the caller: whatever had to be durable was synchronized before.
    func close(_ file: FileID)
    /// Writes at `offset`, perhaps less than asked; returns the bytes written, at least 1 for a non-empty buffer.
    func write(_ bytes: UnsafeRawBufferPointer, to file: FileID, at offset: Int) throws(FileSystemError) -> Int
    /// Reads at `offset`, perhaps less than asked; 0 at the end of the file.
    func read(into bytes: UnsafeMutableRawBufferPointer, from file: FileID, at offset: Int)
        throws(FileSystemError) -> Int
    /// Says that these bytes, which are synchronized, are not likely to be read again: their memory may go.
    func forget(_ file: FileID, at offset: Int, byteCount: Int)
    /// Size in bytes.
    func size(of file: FileID) throws(FileSystemError) -> Int
    /// `fdatasync`: contents and size. After a failure the kernel has marked the pages clean: never call it again.
    func synchronize(_ file: FileID) throws(FileSystemError)
    /// `fsync` of a directory: names made, changed and removed in it.
    func synchronizeDirectory(_ path: String) throws(FileSystemError)
    func truncate(_ file: FileID, to sizeBytes: Int) throws(FileSystemError)
    func rename(_ path: String, to newPath: String) throws(FileSystemError)
    func remove(_ path: String) throws(FileSystemError)
    /// Names in a directory, without `.` and `..`, in any order.
    func list(_ directory: String) throws(FileSystemError) -> [String]
    /// Makes one directory with mode 0700; false when it is there already.
    func makeDirectory(_ path: String) throws(FileSystemError) -> Bool
    /// Bytes of the file system under `path` that this user may still take.
    func freeBytes(at path: String) throws(FileSystemError) -> Int
    /// `flock`, exclusive, without waiting; false when another process holds it. Released by `close`.
    func lock(_ file: FileID) throws(FileSystemError) -> Bool
}

/// An open file.
package struct FileID: Sendable, Hashable {
    package var descriptor: Int32

    package init(descriptor: Int32) {
        self.descriptor = descriptor
    }
}

/// How a file is opened; files are made with mode 0600.
package enum OpenMode: Sendable {
    case read
    /// Read and write; must exist.
    case update
    /// Read and write; must not exist.
    case create
    /// Read and write; made or emptied.
    case replace
    /// Read and write; made when missing, kept as it is otherwise.
    case ensure
}

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

    /// The disk, the quota or the inodes have run out: passes when someone makes room.
    package var isOutOfSpace: Bool { errno == ENOSPC || errno == EDQUOT }
    package var isMissing: Bool { errno == ENOENT }
    package var isThereAlready: Bool { errno == EEXIST }
    /// The device could not read or write the block.
    package var isInputOutput: Bool { errno == EIO }

    package var description: String { "\(call.rawValue): \(String(cString: strerror(errno))) (errno \(errno))" }
}
