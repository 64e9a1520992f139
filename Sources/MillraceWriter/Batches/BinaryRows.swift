import MillraceEvent

/// Tuples of PostgreSQL's binary COPY format: a count of fields, then each field as its length and its bytes.
struct BinaryRows {
    private(set) var bytes: [UInt8] = []

    mutating func begin(fields: Int16) {
        appendBigEndian(fields)
    }

    mutating func append(_ value: [UInt8]) {
        appendBigEndian(Int32(value.count))
        bytes += value
    }

    /// NULL for nil. PostgreSQL's text holds no NUL.
    mutating func append(_ value: String?) {
        guard let value else { return appendBigEndian(Int32(-1)) }
        append(value.utf8.filter { $0 != 0 })
    }

    mutating func append(_ value: some FixedWidthInteger) {
        appendBigEndian(Int32(MemoryLayout.size(ofValue: value)))
        appendBigEndian(value)
    }

    mutating func append(_ value: Timestamp) {
        append(value.microseconds - Timestamp.postgresEpoch)
    }

    private mutating func appendBigEndian(_ value: some FixedWidthInteger) {
        withUnsafeBytes(of: value.bigEndian) { bytes += $0 }
    }
}
