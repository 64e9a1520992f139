internal import CZstd
internal import Crypto
internal import Glibc
internal import MillraceEvent

/// Reads one file of an archive line by line, and compares it with the manifest.
struct PartReader {
    let path: String
    let part: ArchiveManifest.Part

    private static let pieceBytes = 256 << 10
    /// No line that Millrace has written is longer: what PostgreSQL can print of a row.
    private static let lineBytesMax = 1 << 30

    /// Passes whole lines on, without their line feeds, some at a time. Throws `archive_damaged` when the file is not what
    /// the manifest says; lines before that were passed on.
    func read(_ take: ([ArraySlice<UInt8>]) throws -> Void) throws {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw damaged(String(cString: strerror(errno))) }
        defer { close(descriptor) }
        guard let decompressor = ZSTD_createDStream() else { throw ArchiveError.disk(path, "no memory for zstd") }
        defer { ZSTD_freeDStream(decompressor) }
        var hasher = SHA256()
        var piece = [UInt8](repeating: 0, count: Self.pieceBytes)
        var output = [UInt8](repeating: 0, count: Self.pieceBytes)
        var waiting: [UInt8] = []
        var rows = 0
        var status = 0
        while true {
            let count = Glibc.read(descriptor, &piece, piece.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw ArchiveDisk.failure(path) }
            if count == 0 { break }
            piece.withUnsafeBytes { hasher.update(bufferPointer: UnsafeRawBufferPointer(rebasing: $0[..<count])) }
            var offset = 0
            var isMore = true
            while offset < count || isMore {
                let written = try decompress(decompressor, piece, count, &offset, &output, &status)
                isMore = written == output.count
                waiting += output[..<written]
                guard waiting.count <= Self.lineBytesMax else { throw damaged("a line is too long") }
                rows += try Self.takeLines(of: &waiting, take)
            }
        }
        guard status == 0, waiting.isEmpty else { throw damaged("it ends amid a line") }
        guard rows == part.rows else { throw damaged("it has \(rows) rows of \(part.rows)") }
        guard hasher.finalize().hexadecimal == part.sha256 else {
            throw damaged("its SHA-256 is another one")
        }
    }

    /// Returns the bytes that were decompressed.
    private func decompress(
        _ decompressor: OpaquePointer, _ piece: [UInt8], _ count: Int, _ offset: inout Int, _ output: inout [UInt8],
        _ status: inout Int
    ) throws(ArchiveError) -> Int {
        var written = 0
        piece.withUnsafeBytes { input in
            output.withUnsafeMutableBytes { output in
                var source = ZSTD_inBuffer(src: input.baseAddress, size: count, pos: offset)
                var target = ZSTD_outBuffer(dst: output.baseAddress, size: output.count, pos: 0)
                status = ZSTD_decompressStream(decompressor, &target, &source)
                offset = source.pos
                written = target.pos
            }
        }
        guard ZSTD_isError(status) == 0 else { throw damaged("zstd: \(String(cString: ZSTD_getErrorName(status)))") }
        return written
    }

    private static func takeLines(
        of waiting: inout [UInt8], _ take: ([ArraySlice<UInt8>]) throws -> Void
    ) rethrows -> Int {
        guard let last = waiting.lastIndex(of: UInt8(ascii: "\n")) else { return 0 }
        let lines = waiting[..<last].split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        try take(lines)
        waiting.removeSubrange(...last)
        return lines.count
    }

    private func damaged(_ reason: String) -> ArchiveError {
        ArchiveError(.archiveDamaged, "\(path): \(reason)", hint: "Bring the archive back from a backup of it.")
    }
}
