internal import Glibc

/// The real disk.
package struct PosixFileSystem: FileSystem {
    package init() {}

    /// With `O_CLOEXEC`. `isMissing` without a file (`read`, `update`), `isThereAlready` with one (`create`).
    package func open(_ path: String, _ mode: OpenMode) throws(FileSystemError) -> FileID {
        let flags =
            switch mode {
            case .read: O_RDONLY
            case .update: O_RDWR
            case .create: O_RDWR | O_CREAT | O_EXCL
            case .replace: O_RDWR | O_CREAT | O_TRUNC
            case .ensure: O_RDWR | O_CREAT
            }
        let descriptor = try check(.open) { Glibc.open(path, flags | O_CLOEXEC, 0o600) }
        return FileID(descriptor: Int32(descriptor))
    }

    /// The result of `close(2)` is not looked at.
    package func close(_ file: FileID) {
        _ = Glibc.close(file.descriptor)
    }

    /// One `pwrite`: returns the bytes written, which may be fewer than asked.
    package func write(_ bytes: UnsafeRawBufferPointer, to file: FileID, at offset: Int)
        throws(FileSystemError) -> Int
    {
        try check(.write) { pwrite(file.descriptor, bytes.baseAddress, bytes.count, offset) }
    }

    /// One `pread`: returns the bytes read, which may be fewer than asked; 0 at the end of the file.
    package func read(into bytes: UnsafeMutableRawBufferPointer, from file: FileID, at offset: Int)
        throws(FileSystemError) -> Int
    {
        try check(.read) { pread(file.descriptor, bytes.baseAddress, bytes.count, offset) }
    }

    /// `POSIX_FADV_DONTNEED` on these bytes of the file. Errors are ignored.
    package func forget(_ file: FileID, at offset: Int, byteCount: Int) {
        // An advice: when it is not taken, the pages stay in the cache.
        _ = posix_fadvise(file.descriptor, offset, byteCount, POSIX_FADV_DONTNEED)
    }

    /// In bytes, by `fstat`.
    package func size(of file: FileID) throws(FileSystemError) -> Int {
        var status = stat()
        _ = try check(.size) { Int(fstat(file.descriptor, &status)) }
        return status.st_size
    }

    /// `fdatasync`, once: an error is thrown at once, EINTR too.
    package func synchronize(_ file: FileID) throws(FileSystemError) {
        // Not repeated on EINTR: after any failure the state of the pages is unknown.
        guard fdatasync(file.descriptor) == 0 else { throw FileSystemError(.synchronize, errno: errno) }
    }

    /// Opens the directory, calls `fsync`, closes it.
    package func synchronizeDirectory(_ path: String) throws(FileSystemError) {
        let descriptor = try check(.synchronizeDirectory) { Glibc.open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) }
        defer { _ = Glibc.close(Int32(descriptor)) }
        guard fsync(Int32(descriptor)) == 0 else { throw FileSystemError(.synchronizeDirectory, errno: errno) }
    }

    /// Cuts the file, or makes it longer by zeros. Durable only after `synchronize`.
    package func truncate(_ file: FileID, to sizeBytes: Int) throws(FileSystemError) {
        _ = try check(.truncate) { ftruncate(file.descriptor, sizeBytes) }
    }

    /// Replaces what is at `newPath`, in one step. Durable only after `synchronizeDirectory`.
    package func rename(_ path: String, to newPath: String) throws(FileSystemError) {
        _ = try check(.rename) { Glibc.rename(path, newPath) }
    }

    /// Unlinks one file, no directory. Durable only after `synchronizeDirectory`.
    package func remove(_ path: String) throws(FileSystemError) {
        _ = try check(.remove) { unlink(path) }
    }

    /// Names without `.` and `..`, in the order of the file system.
    package func list(_ directory: String) throws(FileSystemError) -> [String] {
        guard let stream = opendir(directory) else { throw FileSystemError(.list, errno: errno) }
        defer { closedir(stream) }
        var names: [String] = []
        errno = 0
        while let entry = readdir(stream) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) {
                String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != ".", name != ".." { names.append(name) }
            errno = 0
        }
        guard errno == 0 else { throw FileSystemError(.list, errno: errno) }
        return names
    }

    /// One directory with mode 0700; false when something is at `path` already. Its parent must exist.
    package func makeDirectory(_ path: String) throws(FileSystemError) -> Bool {
        do {
            _ = try check(.makeDirectory) { mkdir(path, 0o700) }
            return true
        } catch  where error.isThereAlready {
            return false
        }
    }

    /// Bytes that a user who is not root may still take, by `statvfs`.
    package func freeBytes(at path: String) throws(FileSystemError) -> Int {
        // The type picks the function among the function and the structure of this name.
        let query: (UnsafePointer<CChar>, UnsafeMutablePointer<statvfs>) -> Int32 = statvfs
        var status = statvfs()
        _ = try check(.freeBytes) { query(path, &status) }
        return Int(
            clamping: UInt64(status.f_bavail).multipliedReportingOverflow(by: UInt64(status.f_frsize)).partialValue)
    }

    /// An exclusive `flock`; returns false at once when another open file holds it.
    package func lock(_ file: FileID) throws(FileSystemError) -> Bool {
        do {
            _ = try check(.lock) { flock(file.descriptor, LOCK_EX | LOCK_NB) }
            return true
        } catch  where error.errno == EWOULDBLOCK {
            return false
        }
    }

    /// Repeats a call that a signal interrupted; throws what else it fails with.
    private func check<Result: FixedWidthInteger>(_ call: FileSystemError.Call, _ body: () -> Result)
        throws(FileSystemError) -> Int
    {
        while true {
            let result = body()
            if result >= 0 { return Int(result) }
            guard errno == EINTR else { throw FileSystemError(call, errno: errno) }
        }
    }
}
