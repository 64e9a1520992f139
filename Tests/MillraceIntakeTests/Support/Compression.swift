import CZlib
import CZstd

/// Compressors for test input.
enum Compression: String, CaseIterable, Sendable {
    case gzip, deflate, rawDeflate, zstd

    /// The Content-Encoding.
    var header: String { self == .rawDeflate ? "deflate" : rawValue }

    func compress(_ bytes: [UInt8]) -> [UInt8] {
        if self == .zstd {
            var target = [UInt8](repeating: 0, count: ZSTD_compressBound(bytes.count))
            let count = ZSTD_compress(&target, target.count, bytes, bytes.count, 3)
            return Array(target.prefix(count))
        }
        var stream = z_stream()
        let bits: Int32 = self == .gzip ? 31 : self == .deflate ? 15 : -15
        deflateInit2_(
            &stream, 6, Z_DEFLATED, bits, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
        defer { deflateEnd(&stream) }
        var source = bytes
        var target = [UInt8](repeating: 0, count: Int(deflateBound(&stream, UInt(bytes.count))) + 64)
        let capacity = target.count
        let left = source.withUnsafeMutableBufferPointer { source in
            target.withUnsafeMutableBufferPointer { target in
                stream.next_in = source.baseAddress
                stream.avail_in = UInt32(source.count)
                stream.next_out = target.baseAddress
                stream.avail_out = UInt32(target.count)
                CZlib.deflate(&stream, Z_FINISH)
                return Int(stream.avail_out)
            }
        }
        return Array(target.prefix(capacity - left))
    }
}
