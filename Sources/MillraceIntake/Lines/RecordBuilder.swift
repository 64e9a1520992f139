internal import MillraceEvent

/// Gathers accepted lines into records: one for each run of one kind, cut at `Record.payloadBytesMax`.
struct RecordBuilder {
    private(set) var records: [Record] = []
    /// Bytes of the lines, newlines included.
    private(set) var byteCount = 0
    /// Number of lines.
    private(set) var count = 0
    /// Of every record built next.
    var receivedAt: Timestamp
    /// How many bytes of lines are likely to come: room for them is made at once.
    var expectedBytes = 0
    let tenant: Int32

    init(tenant: Int32, receivedAt: Timestamp) {
        self.tenant = tenant
        self.receivedAt = receivedAt
    }

    var isEmpty: Bool { records.isEmpty }

    /// Appends a line and its `\n`. `isPretty`: line breaks inside (white space, in valid JSON) become spaces.
    mutating func append(_ kind: RecordKind, _ line: UnsafeRawBufferPointer, isPretty: Bool = false) {
        let length = line.count + 1
        byteCount += length
        count += 1
        if let last = records.last, last.kind == kind, last.bytes.count + length <= Record.payloadBytesMax {
            records[records.count - 1].count += 1
        } else {
            var bytes: [UInt8] = []
            bytes.reserveCapacity(max(length, min(expectedBytes - byteCount + length, Record.payloadBytesMax)))
            records.append(Record(kind: kind, tenant: tenant, receivedAt: receivedAt, count: 1, bytes: bytes))
        }
        let index = records.count - 1
        let start = records[index].bytes.count
        records[index].bytes.append(contentsOf: line)
        if isPretty, line.newline(from: 0) != nil {
            for position in start..<start + line.count where records[index].bytes[position] == 0x0A {
                records[index].bytes[position] = 0x20
            }
        }
        records[index].bytes.append(0x0A)
    }

    /// Returns what was gathered and starts anew.
    mutating func take() -> [Record] {
        defer {
            records = []
            byteCount = 0
            count = 0
        }
        return records
    }
}
