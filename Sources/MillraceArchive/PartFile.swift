internal import Crypto
internal import Glibc
internal import MillraceEvent

/// One file of an archive while it is written: lines compressed by zstd, and the SHA-256 of what is in the file.
final class PartFile {
    private static let pieceBytes = 256 << 10

    private let path: String
    private let descriptor: Int32
    private let compressor: ZstdCompressor
    private var input: [UInt8] = []
    private var hasher = SHA256()
    private(set) var rows = 0
    /// Before compression.
    private(set) var bytes = 0
    private var compressedBytes = 0

    init(_ path: String, level: Int) throws(ArchiveError) {
        guard let compressor = ZstdCompressor(level: level) else { throw .disk(path, "there is no memory for zstd") }
        self.compressor = compressor
        self.path = path
        descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o640)
        guard descriptor >= 0 else { throw ArchiveDisk.failure(path) }
    }

    deinit {
        if descriptor >= 0 { close(descriptor) }
    }

    /// Adds a row; its line feed is added.
    func write(_ line: UnsafeRawBufferPointer) throws(ArchiveError) {
        input.append(contentsOf: line)
        input.append(UInt8(ascii: "\n"))
        rows += 1
        bytes += line.count + 1
        if input.count >= Self.pieceBytes { try compress(isLast: false) }
    }

    /// Everything is on disk.
    func finish(name: String) throws(ArchiveError) -> ArchiveManifest.Part {
        try compress(isLast: true)
        guard fsync(descriptor) == 0 else { throw ArchiveDisk.failure(path) }
        return ArchiveManifest.Part(
            file: name, rows: rows, bytes: bytes, compressedBytes: compressedBytes,
            sha256: hasher.finalize().hexadecimal)
    }

    private func compress(isLast: Bool) throws(ArchiveError) {
        try compressor.compress(input, isLast: isLast, failure: { .disk(path, "zstd: \($0)") }, put)
        input.removeAll(keepingCapacity: true)
    }

    private func put(_ bytes: ArraySlice<UInt8>) throws(ArchiveError) {
        bytes.withUnsafeBytes { hasher.update(bufferPointer: $0) }
        compressedBytes += bytes.count
        try ArchiveFile.write(bytes, to: descriptor, path)
    }
}

/// Reads and writes whole small files.
enum ArchiveFile {
    static func write(_ bytes: ArraySlice<UInt8>, to descriptor: Int32, _ path: String) throws(ArchiveError) {
        var rest = bytes
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw ArchiveDisk.failure(path) }
            rest = rest.dropFirst(count)
        }
    }

    /// On disk when it returns, but for its name.
    static func write(_ bytes: [UInt8], to path: String) throws(ArchiveError) {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o640)
        guard descriptor >= 0 else { throw ArchiveDisk.failure(path) }
        defer { close(descriptor) }
        try write(bytes[...], to: descriptor, path)
        guard fsync(descriptor) == 0 else { throw ArchiveDisk.failure(path) }
    }

    /// nil where there is none.
    static func read(_ path: String, bytesMax: Int = 16 << 20) throws(ArchiveError) -> [UInt8]? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            if errno == ENOENT { return nil }
            throw ArchiveDisk.failure(path)
        }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 64 << 10)
        while bytes.count <= bytesMax {
            let count = Glibc.read(descriptor, &piece, piece.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw ArchiveDisk.failure(path) }
            if count == 0 { return bytes }
            bytes += piece[..<count]
        }
        throw .disk(path, "it is larger than \(bytesMax) bytes")
    }

    /// In hexadecimal; nil where there is no such file.
    static func sha256(of path: String) throws(ArchiveError) -> String? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            if errno == ENOENT { return nil }
            throw ArchiveDisk.failure(path)
        }
        defer { close(descriptor) }
        var hasher = SHA256()
        var piece = [UInt8](repeating: 0, count: 256 << 10)
        while true {
            let count = Glibc.read(descriptor, &piece, piece.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw ArchiveDisk.failure(path) }
            if count == 0 { return hasher.finalize().hexadecimal }
            piece.withUnsafeBytes { hasher.update(bufferPointer: UnsafeRawBufferPointer(rebasing: $0[..<count])) }
        }
    }
}
