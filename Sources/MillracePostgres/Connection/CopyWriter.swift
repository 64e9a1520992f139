internal import CLibPQ

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

    /// Sends rows, in pieces cut anywhere. Blocks while the server is behind. An error of the server about the rows
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

    package func write(_ bytes: [UInt8]) throws(PostgresError) {
        try bytes.withUnsafeBufferPointer { (buffer) throws(PostgresError) in
            try write(UnsafeRawBufferPointer(buffer))
        }
    }
}
