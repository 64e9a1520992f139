internal import CZlib

/// gzip (one member after another, zeros after the last one), or deflate with or without the zlib header.
final class ZlibInflater: Inflater {
    private var stream = z_stream()
    private let isGzip: Bool
    private(set) var isAtEnd = false
    private var hasStarted = false
    private var isPadded = false

    /// `firstBytes`: the first two bytes of the body, which tell a zlib header from raw deflate.
    init(isGzip: Bool, firstBytes: (UInt8, UInt8)) {
        self.isGzip = isGzip
        let hasHeader =
            firstBytes.0 & 0x0F == 8 && (UInt16(firstBytes.0) << 8 | UInt16(firstBytes.1)).isMultiple(of: 31)
        let windowBits: Int32 = isGzip ? 15 + 16 : hasHeader ? 15 : -15
        let result = inflateInit2_(&stream, windowBits, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
        precondition(result == Z_OK, "no memory left for a zlib stream")
    }

    deinit { inflateEnd(&stream) }

    /// zconf.h: a window of 32 KiB, and about 7 KiB.
    var heldBytes: Int { 40 << 10 }

    func inflate(
        _ source: UnsafeRawBufferPointer, into target: UnsafeMutableRawBufferPointer
    ) throws(HTTPProblem) -> (consumed: Int, produced: Int) {
        if isAtEnd, hasStarted, let next = source.first {
            if isGzip, isPadded || next == 0 { return (try padding(source), 0) }
            guard isGzip, next == 0x1F else {
                throw HTTPProblem(
                    .invalidCompression, "bytes follow the end of the \(isGzip ? "gzip" : "deflate") stream")
            }
            inflateReset(&stream)
        }
        guard !source.isEmpty || hasStarted else { return (0, 0) }
        hasStarted = true
        // zlib does not write through next_in; its C declaration merely lacks the const.
        stream.next_in = UnsafeMutablePointer(
            mutating: source.baseAddress?.assumingMemoryBound(to: UInt8.self))
        stream.avail_in = UInt32(source.count)
        stream.next_out = target.baseAddress?.assumingMemoryBound(to: UInt8.self)
        stream.avail_out = UInt32(target.count)
        let result = CZlib.inflate(&stream, Z_NO_FLUSH)
        let consumed = source.count - Int(stream.avail_in)
        let produced = target.count - Int(stream.avail_out)
        switch result {
        case Z_OK, Z_BUF_ERROR: isAtEnd = false
        case Z_STREAM_END: isAtEnd = true
        default:
            let detail = stream.msg.map { String(cString: $0) } ?? "code \(result)"
            throw HTTPProblem(.invalidCompression, "the \(isGzip ? "gzip" : "deflate") body is damaged: \(detail)")
        }
        return (consumed, produced)
    }

    /// Zeros after the last member, as tapes and tools leave them: gunzip takes them too. Returns how many.
    private func padding(_ source: UnsafeRawBufferPointer) throws(HTTPProblem) -> Int {
        isPadded = true
        guard source.allSatisfy({ $0 == 0 }) else {
            throw HTTPProblem(.invalidCompression, "bytes follow the zeros at the end of the gzip stream")
        }
        return source.count
    }
}
