/// A run of lines of one kind that came in together: what the intake hands on and the spool writes down.
package struct Record: Sendable {
    /// Largest payload of one record. A reader holds one record whole, so this bounds its memory; a run is cut here.
    package static let payloadBytesMax = 1 << 20

    package var kind: RecordKind
    package var tenant: Int32
    package var receivedAt: Timestamp
    /// Number of lines in `bytes`, at least 1.
    package var count: Int
    /// The lines as they came, each ended by one `\n`; NDJSON. At most `payloadBytesMax` bytes, unless `count` is 1.
    package var bytes: [UInt8]

    package init(kind: RecordKind, tenant: Int32, receivedAt: Timestamp, count: Int, bytes: [UInt8]) {
        self.kind = kind
        self.tenant = tenant
        self.receivedAt = receivedAt
        self.count = count
        self.bytes = bytes
    }
}
