internal import CLibPQ

extension PostgresConnection {
    /// Runs `COPY … TO STDOUT` and passes its rows on, one by one as they come. Blocks up to `timeout` (nil: the
    /// connection's) in all, the time that `rows` takes included. Holds one row and what the socket brings along.
    ///
    /// A binary row is its field count (int16), then each field's length (int32, -1 for NULL) and bytes, network byte
    /// order; a text row is its line with the line feed. The bytes are valid during the call only.
    ///
    /// - Parameter rows: returns whether more rows are wanted; after false the session is closed, because nothing else
    ///   stops the server.
    /// - Returns: the number of rows passed on.
    @discardableResult
    package func copyOut(
        _ sql: String,
        format: CopyFormat = .binary,
        timeout: Duration? = nil,
        rows: (UnsafeRawBufferPointer) -> Bool
    ) throws(PostgresError) -> Int {
        let deadline = Deadline(after: timeout ?? statementTimeout)
        return try exchange { (handle) throws(PostgresError) in
            try beginCopy(handle, sql: sql, direction: PGRES_COPY_OUT, deadline: deadline)
            var isAtHeader = format == .binary
            var count = 0
            while let message = try nextMessage(handle, deadline: deadline) {
                defer { PQfreemem(message.baseAddress) }
                var row = UnsafeRawBufferPointer(message)
                if isAtHeader {
                    row = try Self.withoutHeader(row)
                    isAtHeader = false
                }
                // The header comes with the first row, or with the trailer.
                guard !row.isEmpty, format == .text || !row.elementsEqual(CopyFormat.binaryTrailer) else { continue }
                count += 1
                guard rows(row) else {
                    close()
                    return count
                }
            }
            let sent = try lastResult(handle, deadline: deadline).affectedRows
            guard sent == count else {
                throw PostgresError(
                    code: .connectionFailed, message: "the server sent \(sent) rows, of which \(count) arrived")
            }
            return count
        }
    }

    /// What the server sent next, a row each (PostgreSQL's manual, "Message Formats", CopyData), owned by the caller;
    /// nil after the last.
    private func nextMessage(
        _ handle: OpaquePointer, deadline: Deadline
    ) throws(PostgresError) -> UnsafeMutableRawBufferPointer? {
        var bytes: UnsafeMutablePointer<CChar>?
        while true {
            let length = PQgetCopyData(handle, &bytes, 1)
            switch length {
            case 1...: return UnsafeMutableRawBufferPointer(start: bytes, count: Int(length))
            case 0: try receive(handle, deadline: deadline)
            case -1: return nil
            default: throw .lost(handle)
            }
        }
    }

    private static func withoutHeader(_ bytes: UnsafeRawBufferPointer) throws(PostgresError) -> UnsafeRawBufferPointer {
        let signature = CopyFormat.binaryHeader.prefix(11)
        guard bytes.count >= CopyFormat.binaryHeader.count, bytes.starts(with: signature) else {
            throw PostgresError(code: .connectionFailed, message: "the server sent a COPY that is not in binary format")
        }
        let extensionBytes = max(0, Int(Int32(bigEndian: bytes.loadUnaligned(fromByteOffset: 15, as: Int32.self))))
        return UnsafeRawBufferPointer(rebasing: bytes.dropFirst(CopyFormat.binaryHeader.count + extensionBytes))
    }
}
