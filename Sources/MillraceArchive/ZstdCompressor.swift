internal import CZstd

/// Compresses a stream into one zstd frame with a checksum.
package final class ZstdCompressor {
    private static let pieceBytes = 256 << 10

    // SAFETY: made once, used by this object alone, freed in deinit.
    private let stream: OpaquePointer
    private var output = [UInt8](repeating: 0, count: pieceBytes)

    /// nil where there is no memory for it. `level`: zstd's.
    package init?(level: Int) {
        guard let stream = ZSTD_createCStream() else { return nil }
        self.stream = stream
        ZSTD_CCtx_setParameter(stream, ZSTD_c_compressionLevel, Int32(level))
        ZSTD_CCtx_setParameter(stream, ZSTD_c_checksumFlag, 1)
    }

    deinit { ZSTD_freeCStream(stream) }

    /// Hands on what comes of `input`, in pieces of at most 256 KiB; some of it may come with later input.
    ///
    /// - Parameters:
    ///   - isLast: ends the frame; nothing may come after it.
    ///   - failure: what is thrown for what zstd says, which is without memory then.
    package func compress<Failure: Error>(
        _ input: [UInt8], isLast: Bool, failure: (String) -> Failure,
        _ take: (ArraySlice<UInt8>) throws(Failure) -> Void
    ) throws(Failure) {
        var offset = 0
        while true {
            var written = 0
            var status = 0
            input.withUnsafeBytes { input in
                output.withUnsafeMutableBytes { output in
                    var source = ZSTD_inBuffer(src: input.baseAddress, size: input.count, pos: offset)
                    var target = ZSTD_outBuffer(dst: output.baseAddress, size: output.count, pos: 0)
                    status = ZSTD_compressStream2(stream, &target, &source, isLast ? ZSTD_e_end : ZSTD_e_continue)
                    offset = source.pos
                    written = target.pos
                }
            }
            guard ZSTD_isError(status) == 0 else { throw failure(String(cString: ZSTD_getErrorName(status))) }
            if written > 0 { try take(output[..<written]) }
            if isLast ? status == 0 : offset == input.count { return }
        }
    }
}
