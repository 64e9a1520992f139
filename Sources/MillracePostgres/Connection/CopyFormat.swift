/// The format of a COPY's rows; the statement must name the same.
package enum CopyFormat: Sendable {
    /// `WITH (FORMAT binary)`. The body writes tuples only; `copyIn` adds header and trailer,
    /// `copyOut` takes them off.
    case binary
    /// `WITH (FORMAT text)` or `csv`.
    case text

    /// ```
    /// offset  size  field
    ///      0    11  signature PGCOPY\n\377\r\n\0
    ///     11     4  flags, 0
    ///     15     4  length of the header extension, 0
    /// ```
    /// PostgreSQL's manual, COPY, "Binary Format".
    package static let binaryHeader: [UInt8] =
        [0x50, 0x47, 0x43, 0x4F, 0x50, 0x59, 0x0A, 0xFF, 0x0D, 0x0A, 0x00] + [0, 0, 0, 0] + [0, 0, 0, 0]

    /// A tuple's field count of -1.
    package static let binaryTrailer: [UInt8] = [0xFF, 0xFF]
}
