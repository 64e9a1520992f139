internal import Glibc
internal import MillraceArchive
internal import MillraceConsole

/// Where an export goes: a file that has its name only once it is whole and on disk, or standard output.
final class ExportFile {
    private static let writeBytesMax = 256 * 1024
    /// zstd's own default.
    private static let level = 3

    /// nil for standard output.
    private let path: String?
    private let temporary: String
    private let descriptor: Int32
    /// nil: the export is not compressed.
    private let compressor: ZstdCompressor?
    private var output: [UInt8] = []
    private var isFinished = false
    /// As they stand in the file.
    private(set) var writtenBytes = 0
    /// Before compression.
    private(set) var bytes = 0

    /// `path`: nil for standard output.
    init(path: String?, isCompressed: Bool) throws(CommandError) {
        self.path = path
        temporary = path.map { "\($0).tmp-\(getpid())" } ?? ""
        if path != nil {
            descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o640)
            guard descriptor >= 0 else {
                throw CommandError(
                    "\(temporary) cannot be made: \(String(cString: strerror(errno)))",
                    hint: "Check the directory and its permissions, or give another with --output")
            }
        } else {
            descriptor = STDOUT_FILENO
        }
        compressor = isCompressed ? ZstdCompressor(level: Self.level) : nil
        guard !isCompressed || compressor != nil else {
            throw CommandError("there is no memory for zstd", hint: "Free some, or export with --no-compress")
        }
    }

    deinit {
        guard path != nil, !isFinished else { return }
        close(descriptor)
        unlink(temporary)
    }

    func write(_ bytes: [UInt8]) throws(CommandError) {
        self.bytes += bytes.count
        guard compressor == nil else { return try compress(bytes, isLast: false) }
        try put(bytes[...])
    }

    /// Everything is written; the file gets its name after it is on disk, and so is its name afterwards.
    func finish() throws(CommandError) {
        try compress([], isLast: true)
        try flush()
        guard let path else {
            isFinished = true
            return
        }
        guard fsync(descriptor) == 0, rename(temporary, path) == 0 else { throw failure(path) }
        isFinished = true
        close(descriptor)
        let parent = path.lastIndex(of: "/").map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
        let directory = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard directory >= 0 else { throw failure(parent) }
        defer { close(directory) }
        guard fsync(directory) == 0 else { throw failure(parent) }
    }

    private func compress(_ bytes: [UInt8], isLast: Bool) throws(CommandError) {
        try compressor?.compress(
            bytes, isLast: isLast,
            failure: {
                CommandError("zstd failed: \($0)", hint: "Free some memory, or export with --no-compress")
            }, put)
    }

    private func put(_ bytes: ArraySlice<UInt8>) throws(CommandError) {
        output += bytes
        if output.count >= Self.writeBytesMax { try flush() }
    }

    private func flush() throws(CommandError) {
        var offset = 0
        while offset < output.count {
            let count = output.withUnsafeBytes { bytes in
                Glibc.write(descriptor, bytes.baseAddress.map { $0 + offset }, bytes.count - offset)
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw failure(path ?? "standard output") }
            offset += count
        }
        writtenBytes += output.count
        output.removeAll(keepingCapacity: true)
    }

    private func failure(_ path: String) -> CommandError {
        CommandError(
            "\(path) cannot be written: \(String(cString: strerror(errno)))",
            hint: "Check the disk; there is nothing under that name")
    }
}
