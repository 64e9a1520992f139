/// One decompression stream.
protocol Inflater: AnyObject {
    /// True at the border between whole streams (also before the first byte): the body may end here.
    var isAtEnd: Bool { get }

    /// Memory that it takes now.
    var heldBytes: Int { get }

    /// Reads some of `source` and writes some of `target`. Throws `invalid_compression`.
    func inflate(
        _ source: UnsafeRawBufferPointer, into target: UnsafeMutableRawBufferPointer
    ) throws(HTTPProblem) -> (consumed: Int, produced: Int)
}
