internal import Crypto
internal import Glibc
internal import MillraceEvent
import MillraceSpool

/// The files below a folder. Blocks on the disk.
struct FileTree {
    let root: String
    private let fileSystem = PosixFileSystem()

    init(_ root: String) {
        self.root = root
    }

    /// Paths below the root, in order. A link is a file here: none is followed.
    func files() throws(FileSystemError) -> [String] { try walk().files.sorted() }

    /// Of all files, in bytes; what can't be read counts nothing.
    var bytes: Int {
        guard let files = try? files() else { return 0 }
        return files.reduce(0) { $0 + (Self.status("\(root)/\($1)").map { Int($0.st_size) } ?? 0) }
    }

    /// Makes the names durable; the contents are, by `digest`.
    func synchronizeDirectories() throws(FileSystemError) {
        for directory in try walk().directories { try fileSystem.synchronizeDirectory(path(directory)) }
    }

    /// Removes everything, the root too.
    func remove() throws(FileSystemError) {
        let (files, directories) = try walk()
        for file in files { try fileSystem.remove(path(file)) }
        for directory in directories.sorted().reversed() where rmdir(path(directory)) != 0 {
            throw FileSystemError(.remove, errno: errno)
        }
    }

    /// SHA-256 of a file in hexadecimal, and its size in bytes. `isDurable`: it is synchronized too.
    func digest(
        of file: String, isDurable: Bool, progress: (Int) -> Void = { _ in }
    ) throws(FileSystemError) -> (sha256: String, bytes: Int) {
        let handle = try fileSystem.open(path(file), .read)
        defer { fileSystem.close(handle) }
        var sum = SHA256()
        var offset = 0
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 4096)
        defer { buffer.deallocate() }
        while true {
            let count = try fileSystem.readAll(into: buffer, from: handle, at: offset)
            if count == 0 { break }
            sum.update(bufferPointer: UnsafeRawBufferPointer(rebasing: buffer[..<count]))
            offset += count
            progress(count)
        }
        if isDurable { try fileSystem.synchronize(handle) }
        return (sum.finalize().hexadecimal, offset)
    }

    static func status(_ path: String) -> stat? {
        var status = stat()
        return lstat(path, &status) == 0 ? status : nil
    }

    private func path(_ file: String) -> String { file.isEmpty ? root : "\(root)/\(file)" }

    private func walk() throws(FileSystemError) -> (files: [String], directories: [String]) {
        var (files, directories, open) = ([String](), [String](), [""])
        while let directory = open.popLast() {
            directories.append(directory)
            for name in try fileSystem.list(path(directory)) {
                let child = directory.isEmpty ? name : "\(directory)/\(name)"
                let isDirectory = Self.status(path(child)).map { $0.st_mode & S_IFMT == S_IFDIR } ?? false
                if isDirectory { open.append(child) } else { files.append(child) }
            }
        }
        return (files, directories)
    }
}
