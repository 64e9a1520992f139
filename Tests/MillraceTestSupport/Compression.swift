internal import CZlib
internal import CZstd

/// Bodies compressed beforehand, as a client would.
package enum Compression: String, CaseIterable, Sendable {
    case gzip
    case deflate
    /// Without zlib's header, as some clients send what they call deflate.
    case rawDeflate
    case zstd

    /// The value of Content-Encoding.
    package var header: String { self == .rawDeflate ? "deflate" : rawValue }

    package func compress(_ bytes: [UInt8]) throws -> [UInt8] {
        switch self {
        case .gzip: try Self.deflate(bytes, windowBits: 15 + 16)
        case .deflate: try Self.deflate(bytes, windowBits: 15)
        case .rawDeflate: try Self.deflate(bytes, windowBits: -15)
        case .zstd: try Self.zstd(bytes)
        }
    }

    private static func deflate(_ bytes: [UInt8], windowBits: Int32) throws -> [UInt8] {
        var input = bytes
        var stream = z_stream()
        let size = Int32(MemoryLayout<z_stream>.size)
        guard deflateInit2_(&stream, 6, Z_DEFLATED, windowBits, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION, size) == Z_OK
        else { throw TestSupportError(message: "zlib has no memory") }
        defer { deflateEnd(&stream) }
        var output = [UInt8](repeating: 0, count: Int(deflateBound(&stream, uLong(bytes.count))) + 64)
        let result = input.withUnsafeMutableBufferPointer { source in
            output.withUnsafeMutableBufferPointer { target in
                stream.next_in = source.baseAddress
                stream.avail_in = UInt32(source.count)
                stream.next_out = target.baseAddress
                stream.avail_out = UInt32(target.count)
                return CZlib.deflate(&stream, Z_FINISH)
            }
        }
        guard result == Z_STREAM_END else { throw TestSupportError(message: "zlib: \(result)") }
        return Array(output.prefix(Int(stream.total_out)))
    }

    private static func zstd(_ bytes: [UInt8]) throws -> [UInt8] {
        var output = [UInt8](repeating: 0, count: ZSTD_compressBound(bytes.count))
        let count = ZSTD_compress(&output, output.count, bytes, bytes.count, 3)
        guard ZSTD_isError(count) == 0 else { throw TestSupportError(message: "zstd cannot compress") }
        return Array(output.prefix(count))
    }

    /// What a gzip file holds.
    package static func gunzip(_ bytes: [UInt8]) throws -> [UInt8] {
        var input = bytes
        var stream = z_stream()
        guard inflateInit2_(&stream, 15 + 16, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK else {
            throw TestSupportError(message: "zlib has no memory")
        }
        defer { inflateEnd(&stream) }
        var output: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 1 << 20)
        try input.withUnsafeMutableBufferPointer { source in
            stream.next_in = source.baseAddress
            stream.avail_in = UInt32(source.count)
            while true {
                let (result, produced) = piece.withUnsafeMutableBufferPointer { target in
                    stream.next_out = target.baseAddress
                    stream.avail_out = UInt32(target.count)
                    let result = inflate(&stream, Z_NO_FLUSH)
                    return (result, target.count - Int(stream.avail_out))
                }
                output += piece[..<produced]
                if result == Z_STREAM_END { return }
                guard result == Z_OK else { throw TestSupportError(message: "damaged gzip: \(result)") }
            }
        }
        return output
    }
}
