internal import CLibPQ

extension PostgresConnection {
    /// Runs `COPY … FROM STDIN`; `body` writes the rows. Blocks up to `timeout` (nil: the connection's) in all.
    ///
    /// When `body` throws, the COPY fails on the server too (the transaction then stands at `.failed`), and the body's
    /// error is thrown.
    ///
    /// - Returns: the number of rows the server took.
    package func copyIn(
        _ sql: String,
        format: CopyFormat = .binary,
        timeout: Duration? = nil,
        _ body: (borrowing CopyWriter) throws(PostgresError) -> Void
    ) throws(PostgresError) -> Int {
        let deadline = Deadline(after: timeout ?? statementTimeout)
        return try exchange { (handle) throws(PostgresError) in
            try beginCopy(handle, sql: sql, deadline: deadline)
            let writer = CopyWriter(connection: self, handle: handle, deadline: deadline)
            do throws(PostgresError) {
                if case .binary = format { try writer.write(CopyFormat.binaryHeader) }
                try body(writer)
                if case .binary = format { try writer.write(CopyFormat.binaryTrailer) }
            } catch {
                if error.code == .serverError { try abandonCopy(handle, deadline: deadline) }
                throw error
            }
            guard PQputCopyEnd(handle, nil) == 1 else { throw .lost(handle) }
            return try lastResult(handle, deadline: deadline).affectedRows
        }
    }

    /// Sends `sql`, and returns once the server is at `direction` (`PGRES_COPY_IN` or `PGRES_COPY_OUT`).
    func beginCopy(
        _ handle: OpaquePointer, sql: String, direction: ExecStatusType = PGRES_COPY_IN, deadline: Deadline
    ) throws(PostgresError) {
        guard PQsendQuery(handle, sql) == 1 else { throw .lost(handle) }
        guard let result = try nextResult(handle, deadline: deadline) else { throw .lost(handle) }
        let status = PQresultStatus(result)
        let failure = PostgresError(result: result, connection: handle)
        PQclear(result)
        if status == direction { return }
        guard status == PGRES_FATAL_ERROR else {
            throw PostgresError(
                code: .connectionFailed, message: "a COPY was given a statement that is none in its direction",
                hint: "A mistake in Millrace.")
        }
        while let rest = try nextResult(handle, deadline: deadline) { PQclear(rest) }
        throw failure
    }

    /// Tells the server that no more rows come; its error about that is expected.
    private func abandonCopy(_ handle: OpaquePointer, deadline: Deadline) throws(PostgresError) {
        guard PQputCopyEnd(handle, "abandoned by the client") == 1 else { throw .lost(handle) }
        while let result = try nextResult(handle, deadline: deadline) { PQclear(result) }
    }
}

/// Where the rows of one `COPY … FROM STDIN` go.
package struct CopyWriter: ~Copyable {
    /// 64 KiB: libpq buffers what the socket does not take, so no more than this waits in memory.
    private static let chunkBytesMax = 65536

    private let connection: PostgresConnection
    private let handle: OpaquePointer
    private let deadline: Deadline

    init(connection: PostgresConnection, handle: OpaquePointer, deadline: Deadline) {
        self.connection = connection
        self.handle = handle
        self.deadline = deadline
    }

    /// Sends rows, in pieces cut anywhere. Blocks while the server takes none. An error of the server about the rows
    /// comes out of `copyIn`, not from here.
    package func write(_ bytes: UnsafeRawBufferPointer) throws(PostgresError) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let chunk = UnsafeRawBufferPointer(rebasing: rest.prefix(Self.chunkBytesMax))
            rest = rest.dropFirst(chunk.count)
            // Returns 0 when libpq has no room; after a flush it has.
            while true {
                let sent = PQputCopyData(
                    handle, chunk.baseAddress?.assumingMemoryBound(to: CChar.self), Int32(chunk.count))
                guard sent >= 0 else { throw .lost(handle) }
                try connection.flush(handle, deadline: deadline)
                if sent == 1 { break }
            }
        }
    }

    /// Sends rows, as `write` of a buffer does.
    package func write(_ bytes: [UInt8]) throws(PostgresError) {
        try bytes.withUnsafeBufferPointer { (buffer) throws(PostgresError) in
            try write(UnsafeRawBufferPointer(buffer))
        }
    }
}

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
