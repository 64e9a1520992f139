internal import Glibc

/// The real disk.
package struct PosixFileSystem: FileSystem {
    package init() {}

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

    package func close(_ file: FileID) {
        _ = Glibc.close(file.descriptor)
    }

    package func write(_ bytes: UnsafeRawBufferPointer, to file: FileID, at offset: Int)
        throws(FileSystemError) -> Int
    {
        try check(.write) { pwrite(file.descriptor, bytes.baseAddress, bytes.count, offset) }
    }

    package func read(into bytes: UnsafeMutableRawBufferPointer, from file: FileID, at offset: Int)
        throws(FileSystemError) -> Int
    {
        try check(.read) { pread(file.descriptor, bytes.baseAddress, bytes.count, offset) }
    }

    package func forget(_ file: FileID, at offset: Int, byteCount: Int) {
        // An advice: when it is not taken, the pages stay in the cache.
        _ = posix_fadvise(file.descriptor, offset, byteCount, POSIX_FADV_DONTNEED)
    }

    package func size(of file: FileID) throws(FileSystemError) -> Int {
        var status = stat()
        _ = try check(.size) { Int(fstat(file.descriptor, &status)) }
        return status.st_size
    }

    package func synchronize(_ file: FileID) throws(FileSystemError) {
        // Not repeated on EINTR: after any failure the state of the pages is unknown.
        guard fdatasync(file.descriptor) == 0 else { throw FileSystemError(.synchronize, errno: errno) }
    }

    package func synchronizeDirectory(_ path: String) throws(FileSystemError) {
        let descriptor = try check(.synchronizeDirectory) { Glibc.open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) }
        defer { _ = Glibc.close(Int32(descriptor)) }
        guard fsync(Int32(descriptor)) == 0 else { throw FileSystemError(.synchronizeDirectory, errno: errno) }
    }

    package func truncate(_ file: FileID, to sizeBytes: Int) throws(FileSystemError) {
        _ = try check(.truncate) { ftruncate(file.descriptor, sizeBytes) }
    }

    package func rename(_ path: String, to newPath: String) throws(FileSystemError) {
        _ = try check(.rename) { Glibc.rename(path, newPath) }
    }

    package func remove(_ path: String) throws(FileSystemError) {
        _ = try check(.remove) { unlink(path) }
    }

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

    package func makeDirectory(_ path: String) throws(FileSystemError) -> Bool {
        do {
            _ = try check(.makeDirectory) { mkdir(path, 0o700) }
            return true
        } catch  where error.isThereAlready {
            return false
        }
    }

    package func freeBytes(at path: String) throws(FileSystemError) -> Int {
        // The type picks the function among the function and the structure of this name.
        let query: (UnsafePointer<CChar>, UnsafeMutablePointer<statvfs>) -> Int32 = statvfs
        var status = statvfs()
        _ = try check(.freeBytes) { query(path, &status) }
        return Int(
            clamping: UInt64(status.f_bavail).multipliedReportingOverflow(by: UInt64(status.f_frsize)).partialValue)
    }

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
