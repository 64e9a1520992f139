internal import CZlib
internal import CZstd
internal import Glibc

/// An input as it is read from a descriptor, decompressed when it is gzip or zstd.
package struct CompressedInput: ~Copyable {
    private static let readBytesMax = 256 * 1024

    /// The caller's; not closed here.
    package let descriptor: Int32
    /// The input's size in bytes, before decompression; nil when it is no regular file.
    package let totalBytes: Int?
    /// Bytes read of the input, before decompression.
    package private(set) var readBytes = 0
    /// All has been read; the decoder may hold some of it yet.
    package private(set) var isEnded = false

    private var decoder = InputDecoder()
    /// The first decoded bytes, until they are enough to know a byte order mark; then nil.
    private var start: [UInt8]? = []

    package init(descriptor: Int32) {
        self.descriptor = descriptor
        var status = stat()
        let isFile = fstat(descriptor, &status) == 0 && status.st_mode & S_IFMT == S_IFREG
        totalBytes = isFile ? Int(status.st_size) : nil
    }

    /// A descriptor of the file, which the caller closes.
    package static func open(_ path: String) throws(CommandError) -> Int32 {
        let descriptor = Glibc.open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw CommandError(
                "\(path) cannot be opened: \(String(cString: strerror(errno)))",
                hint: "Check the path and its permissions")
        }
        return descriptor
    }

    /// Reads once from the descriptor. Blocks when nothing is there: `poll` it first.
    package mutating func read() throws(CommandError) {
        guard !isEnded else { return }
        let count = withUnsafeTemporaryAllocation(byteCount: Self.readBytesMax, alignment: 16) { chunk in
            let count = Glibc.read(descriptor, chunk.baseAddress, chunk.count)
            if count > 0 { decoder.feed(UnsafeRawBufferPointer(rebasing: chunk[..<count])) }
            return count
        }
        if count < 0 {
            if errno == EAGAIN || errno == EINTR { return }
            throw CommandError(
                "the input cannot be read: \(String(cString: strerror(errno)))", hint: "Check the file and its disk")
        }
        readBytes += count
        if count == 0 {
            isEnded = true
            decoder.finish()
        }
    }

    /// Appends what can be decoded of what was read, without the byte order mark in front; false when that is nothing.
    package mutating func decode(into buffer: inout [UInt8]) throws(CommandError) -> Bool {
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

/// Undoes the compression of an input while it streams: gzip, zstd or none, recognized by the first bytes, never by a name.
struct InputDecoder: ~Copyable {
    private enum Encoding {
        case undecided
        case plain
        case gzip
        case zstd
    }

    /// Largest run of decoded bytes that one call makes.
    private static let outputBytesMax = 256 * 1024

    private var encoding = Encoding.undecided
    private var input: [UInt8] = []
    private var inputHead = 0
    private var isInputEnded = false
    private var isInsideFrame = false
    /// A gzip member was begun; zeros followed the last one.
    private var hasMember = false
    private var isPadded = false
    /// The last call filled its output, so the decompressor may hold more without any input.
    private var mayHoldOutput = false
    // SAFETY: made once, used by this value alone, freed in deinit. zlib keeps a pointer to its stream, so it has an
    // address of its own.
    private let inflater = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
    private var hasInflater = false
    // SAFETY: as above.
    private var decompressor: OpaquePointer?

    init() {
        inflater.initialize(to: z_stream())
    }

    deinit {
        if hasInflater { inflateEnd(inflater) }
        inflater.deallocate()
        ZSTD_freeDStream(decompressor)
    }

    mutating func feed(_ bytes: UnsafeRawBufferPointer) {
        if inputHead > 0 {
            input.removeSubrange(..<inputHead)
            inputHead = 0
        }
        input.append(contentsOf: bytes)
    }

    /// No more input comes.
    mutating func finish() {
        isInputEnded = true
    }

    /// Appends the next decoded bytes to `output`; false when it needs more input (or there is no more).
    mutating func decode(into output: inout [UInt8]) throws(CommandError) -> Bool {
        if case .undecided = encoding { encoding = try recognised() }
        switch encoding {
        case .undecided: return false
        case .plain:
            output.append(contentsOf: input[inputHead...])
            defer { inputHead = input.count }
            return inputHead < input.count
        case .gzip: return try inflate(into: &output)
        case .zstd: return try decompress(into: &output)
        }
    }

    private mutating func recognised() throws(CommandError) -> Encoding {
        guard input.count >= 4 || isInputEnded else { return .undecided }
        if input.starts(with: [0x1F, 0x8B]) {
            // 15 bits of window, plus 16: expect a gzip header.
            guard inflateInit2_(inflater, 15 + 16, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK else {
                throw Self.damaged("zlib could not start")
            }
            hasInflater = true
            return .gzip
        }
        // A frame, or one that is to be skipped.
        let isSkippable = input.count >= 4 && input[0] & 0xF0 == 0x50 && input[1...3] == [0x2A, 0x4D, 0x18]
        if isSkippable || input.starts(with: [0x28, 0xB5, 0x2F, 0xFD]) {
            decompressor = ZSTD_createDStream()
            return .zstd
        }
        return .plain
    }

    private mutating func inflate(into output: inout [UInt8]) throws(CommandError) -> Bool {
        guard inputHead < input.count || mayHoldOutput else {
            if isInputEnded, isInsideFrame { throw Self.damaged("it ends in the middle of the gzip stream") }
            return false
        }
        if !isInsideFrame, try !beginMember() { return true }
        var status = Z_OK
        let start = output.count
        var written = 0
        output.append(contentsOf: repeatElement(0, count: Self.outputBytesMax))
        input.withUnsafeMutableBufferPointer { input in
            output.withUnsafeMutableBufferPointer { output in
                inflater.pointee.next_in = input.baseAddress.map { $0 + inputHead }
                inflater.pointee.avail_in = UInt32(input.count - inputHead)
                inflater.pointee.next_out = output.baseAddress.map { $0 + start }
                inflater.pointee.avail_out = UInt32(Self.outputBytesMax)
                status = CZlib.inflate(inflater, Z_NO_FLUSH)
                inputHead = input.count - Int(inflater.pointee.avail_in)
                written = Self.outputBytesMax - Int(inflater.pointee.avail_out)
            }
        }
        output.removeLast(Self.outputBytesMax - written)
        guard status == Z_OK || status == Z_STREAM_END || status == Z_BUF_ERROR else {
            throw Self.damaged("its gzip stream is damaged")
        }
        isInsideFrame = status != Z_STREAM_END
        mayHoldOutput = isInsideFrame && written == Self.outputBytesMax
        return true
    }

    /// A gzip file may hold several members, one after the other, and zeros after them. False when these were it.
    private mutating func beginMember() throws(CommandError) -> Bool {
        let padding = input[inputHead...].prefix { $0 == 0 }
        isPadded = isPadded || hasMember && !padding.isEmpty
        if isPadded { inputHead = padding.endIndex }
        guard inputHead < input.count else { return false }
        guard !isPadded, !hasMember || input[inputHead] == 0x1F else {
            throw Self.damaged("something else follows its gzip stream")
        }
        hasMember = true
        inflateReset(inflater)
        return true
    }

    private mutating func decompress(into output: inout [UInt8]) throws(CommandError) -> Bool {
        guard inputHead < input.count || mayHoldOutput else {
            if isInputEnded, isInsideFrame { throw Self.damaged("it ends in the middle of the zstd frame") }
            return false
        }
        let start = output.count
        var written = 0
        var status = 0
        output.append(contentsOf: repeatElement(0, count: Self.outputBytesMax))
        input.withUnsafeBytes { input in
            output.withUnsafeMutableBytes { output in
                var source = ZSTD_inBuffer(src: input.baseAddress, size: input.count, pos: inputHead)
                var target = ZSTD_outBuffer(
                    dst: output.baseAddress.map { $0 + start }, size: Self.outputBytesMax, pos: 0)
                status = ZSTD_decompressStream(decompressor, &target, &source)
                inputHead = source.pos
                written = target.pos
            }
        }
        output.removeLast(Self.outputBytesMax - written)
        guard ZSTD_isError(status) == 0 else {
            let isForeign = ZSTD_getErrorCode(status) == ZSTD_error_prefix_unknown
            throw Self.damaged(
                isForeign ? "something else follows its zstd frame" : "its zstd frame is damaged")
        }
        isInsideFrame = status != 0
        mayHoldOutput = isInsideFrame && written == Self.outputBytesMax
        return true
    }

    private static func damaged(_ what: String) -> CommandError {
        CommandError("the input cannot be decompressed: \(what)", hint: "Lines before that were sent; see the summary")
    }
}
