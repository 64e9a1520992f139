internal import Glibc

/// An input as it is read from a descriptor, decompressed when it is gzip or zstd.
struct CompressedInput: ~Copyable {
    private static let readBytesMax = 256 * 1024

    /// The caller's; not closed here.
    let descriptor: Int32
    /// Of the input as it stands, before decompression; nil when it is no regular file.
    let totalBytes: Int?
    /// Of the input as it stands.
    private(set) var readBytes = 0
    /// All has been read; the decoder may hold some of it yet.
    private(set) var isEnded = false

    private var decoder = InputDecoder()
    /// The first decoded bytes, until they are enough to know a byte order mark; then nil.
    private var start: [UInt8]? = []

    init(descriptor: Int32) {
        self.descriptor = descriptor
        var status = stat()
        let isFile = fstat(descriptor, &status) == 0 && status.st_mode & S_IFMT == S_IFREG
        totalBytes = isFile ? Int(status.st_size) : nil
    }

    /// Reads once from the descriptor. Blocks when nothing is there: `poll` it first.
    mutating func read() throws(CommandError) {
        guard !isEnded else { return }
        let count = withUnsafeTemporaryAllocation(byteCount: Self.readBytesMax, alignment: 16) { chunk in
            let count = Glibc.read(descriptor, chunk.baseAddress, chunk.count)
            if count > 0 { decoder.feed(UnsafeRawBufferPointer(rebasing: chunk[..<count])) }
            return count
        }
        if count < 0 {
            if errno == EAGAIN || errno == EINTR { return }
            throw CommandError(
                "the input cannot be read: \(String(cString: strerror(errno)))", hint: "See the file and its disk")
        }
        readBytes += count
        if count == 0 {
            isEnded = true
            decoder.finish()
        }
    }

    /// Appends what can be decoded of what was read, without the byte order mark in front; false when that is nothing.
    mutating func decode(into buffer: inout [UInt8]) throws(CommandError) -> Bool {
        guard var held = start else { return try decoder.decode(into: &buffer) }
        start = nil
        while held.count < Self.byteOrderMark.count, try decoder.decode(into: &held) {}
        guard held.count >= Self.byteOrderMark.count || isEnded else {
            start = held
            return false
        }
        let isMarked = held.starts(with: Self.byteOrderMark)
        buffer.append(contentsOf: held[(isMarked ? Self.byteOrderMark.count : 0)...])
        return !held.isEmpty
    }

    private static let byteOrderMark: [UInt8] = [0xEF, 0xBB, 0xBF]
}
