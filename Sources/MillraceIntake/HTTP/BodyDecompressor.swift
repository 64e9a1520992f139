internal import NIOCore

/// Turns a body's bytes into text, a piece at a time, within caps of output bytes and ratio.
struct BodyDecompressor {
    /// Largest piece of text made in one step, in bytes.
    private static let pieceBytes = 64 << 10
    /// The ratio counts only once this much came out: small bodies of blanks are no bomb.
    static let ratioFreeBytes = 1 << 20

    private var encoding: BodyEncoding
    private let outputBytesMax: Int
    private let ratioMax: Int
    private var pending = ByteBuffer()
    private var inflater: (any Inflater)?
    private var consumedBytes = 0
    private var producedBytes = 0

    init(encoding: BodyEncoding, outputBytesMax: Int, ratioMax: Int) {
        self.encoding = encoding
        self.outputBytesMax = outputBytesMax
        self.ratioMax = ratioMax
    }

    mutating func push(_ buffer: ByteBuffer) {
        var buffer = buffer
        if pending.readableBytes == 0 { pending = buffer } else { pending.writeBuffer(&buffer) }
    }

    /// Moves some text to `input`. False when more of the body is needed first.
    mutating func pull(into input: inout InputBuffer) throws(HTTPProblem) -> Bool {
        if encoding == .untold {
            // No text begins with gzip's first byte.
            guard let first = pending.getInteger(at: pending.readerIndex, as: UInt8.self) else { return false }
            encoding = first == 0x1F ? .gzip : .identity
        }
        guard encoding != .identity else {
            guard pending.readableBytes > 0 else { return false }
            pending.readWithUnsafeReadableBytes { bytes in
                input.append(bytes)
                return bytes.count
            }
            return true
        }
        guard let inflater = startedInflater() else { return false }
        var (consumed, produced) = (0, 0)
        var problem: HTTPProblem?
        pending.readWithUnsafeReadableBytes { source in
            input.append(upTo: Self.pieceBytes) { target in
                do throws(HTTPProblem) {
                    (consumed, produced) = try inflater.inflate(source, into: target)
                } catch {
                    problem = error
                }
                return produced
            }
            return consumed
        }
        if let problem { throw problem }
        consumedBytes += consumed
        producedBytes += produced
        try checkCaps()
        return consumed > 0 || produced > 0
    }

    /// What came and is not text yet, and what makes text of it.
    var heldBytes: Int { pending.readableBytes + (inflater?.heldBytes ?? 0) }

    /// Frees its memory; no call may follow.
    mutating func close() {
        pending = ByteBuffer()
        inflater = nil
    }

    /// The body has ended. Throws when its compressed stream has not.
    func finish() throws(HTTPProblem) {
        guard encoding != .identity, encoding != .untold, pending.readableBytes > 0 || consumedBytes > 0 else { return }
        guard let inflater, inflater.isAtEnd else {
            throw HTTPProblem(.truncatedBody, "the compressed body ends before its stream does")
        }
    }

    private mutating func startedInflater() -> (any Inflater)? {
        if let inflater { return inflater }
        if encoding == .zstd {
            guard pending.readableBytes > 0 else { return nil }
            inflater = ZstdInflater()
        } else {
            guard let bytes = pending.getMultipleIntegers(at: pending.readerIndex, as: (UInt8, UInt8).self) else {
                return nil
            }
            inflater = ZlibInflater(isGzip: encoding == .gzip, firstBytes: bytes)
        }
        return inflater
    }

    private func checkCaps() throws(HTTPProblem) {
        guard producedBytes <= outputBytesMax else {
            throw HTTPProblem(.bodyTooLarge, "the body has more than \(outputBytesMax) bytes when decompressed")
        }
        guard producedBytes <= Self.ratioFreeBytes || producedBytes / ratioMax <= consumedBytes else {
            throw HTTPProblem(
                .compressionRatioExceeded, "the body grows more than \(ratioMax) times when decompressed")
        }
    }
}

/// One decompression stream.
protocol Inflater: AnyObject {
    /// True between whole streams, and before the first byte: the body may end here.
    var isAtEnd: Bool { get }

    /// Bytes of memory that it uses now.
    var heldBytes: Int { get }

    /// Reads some of `source` and writes some of `target`. Throws `invalid_compression`.
    func inflate(
        _ source: UnsafeRawBufferPointer, into target: UnsafeMutableRawBufferPointer
    ) throws(HTTPProblem) -> (consumed: Int, produced: Int)
}
