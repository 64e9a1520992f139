internal import MillraceEvent

/// Gathers accepted lines into records: one for each run of one kind, cut at `Record.payloadBytesMax`.
struct RecordBuilder {
    private(set) var records: [Record] = []
    /// Bytes of the lines, newlines included.
    private(set) var byteCount = 0
    /// Number of lines.
    private(set) var count = 0
    /// The time received of every record built from now on.
    var receivedAt: Timestamp
    /// How many bytes of lines are likely to come: room for them is made at once.
    var expectedBytes = 0
    /// Of every record built from now on.
    var tenant: Int32

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
        let index = openRecord(kind, room: length)
        records[index].count += 1
        let start = records[index].bytes.count
        records[index].bytes.append(contentsOf: line)
        if isPretty, line.newline(from: 0) != nil {
            for position in start..<start + line.count where records[index].bytes[position] == 0x0A {
                records[index].bytes[position] = 0x20
            }
        }
        records[index].bytes.append(0x0A)
    }

    /// Appends `count` lines of one kind that follow each other in memory, each with its `\n`: at most
    /// `Record.payloadBytesMax` bytes, unless it is one.
    mutating func append(_ kind: RecordKind, lines: UnsafeRawBufferPointer, count: Int) {
        byteCount += lines.count
        self.count += count
        let index = openRecord(kind, room: lines.count)
        records[index].count += count
        records[index].bytes.append(contentsOf: lines)
    }

    /// The number of the record that the next `room` bytes of `kind` go to.
    private mutating func openRecord(_ kind: RecordKind, room: Int) -> Int {
        if let last = records.last, last.kind == kind, last.bytes.count + room <= Record.payloadBytesMax {
            return records.count - 1
        }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(max(room, min(expectedBytes - byteCount + room, Record.payloadBytesMax)))
        records.append(Record(kind: kind, tenant: tenant, receivedAt: receivedAt, count: 0, bytes: bytes))
        return records.count - 1
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

/// Accepted lines of one kind without a gap between them.
struct LineRun {
    var kind: RecordKind
    /// Where they lie in an input, with the last line's `\n`.
    var range: Range<Int>
    /// Number of lines.
    var count: Int
}
