internal import CZstd

/// zstd frames one after another, skippable ones among them, with windows up to 8 MiB (RFC 9659).
final class ZstdInflater: Inflater {
    private static let windowLogMax: Int32 = 23

    private let stream: OpaquePointer
    private(set) var isAtEnd = false
    private var hasFrame = false

    init() {
        guard let stream = ZSTD_createDStream() else { preconditionFailure("no memory left for a zstd stream") }
        ZSTD_DCtx_setParameter(stream, ZSTD_d_windowLogMax, Self.windowLogMax)
        self.stream = stream
    }

    deinit { ZSTD_freeDStream(stream) }

    /// With the window that the frame asked for.
    var heldBytes: Int { ZSTD_sizeof_DStream(stream) }

    func inflate(
        _ source: UnsafeRawBufferPointer, into target: UnsafeMutableRawBufferPointer
    ) throws(HTTPProblem) -> (consumed: Int, produced: Int) {
        if source.isEmpty, isAtEnd { return (0, 0) }
        var input = ZSTD_inBuffer(src: source.baseAddress, size: source.count, pos: 0)
        var output = ZSTD_outBuffer(dst: target.baseAddress, size: target.count, pos: 0)
        let result = ZSTD_decompressStream(stream, &output, &input)
        guard ZSTD_isError(result) == 0 else {
            if isAtEnd, hasFrame, ZSTD_getErrorCode(result) == ZSTD_error_prefix_unknown {
                throw HTTPProblem(.invalidCompression, "bytes follow the end of the zstd stream")
            }
            let detail = String(cString: ZSTD_getErrorName(result))
            throw HTTPProblem(.invalidCompression, "the zstd body is damaged: \(detail)")
        }
        isAtEnd = result == 0
        hasFrame = hasFrame || isAtEnd
        return (input.pos, output.pos)
    }
}
