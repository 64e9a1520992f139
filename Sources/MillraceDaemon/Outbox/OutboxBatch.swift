import MillraceEvent
import MillraceIntake
import MillraceTreatment

/// Rows of the outbox as records of the spool: events, and rows that are none as `refused` lines for `dead_letters`.
struct OutboxBatch {
    /// In the rows' order; a run of one kind and tenant is one record, cut at `Record.payloadBytesMax`.
    private(set) var records: [Record] = []
    /// Rows that are no events, or that a rule refuses.
    private(set) var refused = 0
    /// Rows in no record, since a rule samples them out.
    private(set) var sampledOut = 0
    /// Of each row's event.
    private(set) var treated: [FieldCounts] = []

    private static let peer = "outbox"

    /// What is refused is kept as far as `limits` say. `policy`: what is done to events before they are handed over.
    init(
        _ rows: [OutboxRow], limits: LimitsConfiguration, eventLimits: EventLimits, policy: LinePolicy?,
        parser: EventParser, receivedAt: Timestamp
    ) {
        var written: [UInt8] = []
        for row in rows {
            var line = Array(row.line.utf8)
            let count = line.count
            line.append(contentsOf: repeatElement(0, count: EventParser.paddingBytes))
            line.withUnsafeBytes { bytes in
                let line = UnsafeRawBufferPointer(rebasing: bytes[..<count])
                do throws(Refusal) {
                    try Self.check(line, row, limits, eventLimits, parser, receivedAt)
                    var fate = LinePolicy.Fate.keep
                    if let policy {
                        fate = try policy.fate(
                            of: line, .event, tenant: row.tenant, peer: Self.peer, by: parser, receivedAt: receivedAt,
                            into: &written)
                    }
                    switch fate {
                    case .keep: append(line, .event, tenant: row.tenant, receivedAt: receivedAt)
                    case .replace(let counts):
                        treated.append(counts)
                        append(written, .event, tenant: row.tenant, receivedAt: receivedAt)
                    case .quarantine: append(written, .refused, tenant: row.tenant, receivedAt: receivedAt)
                    case .sampleOut: sampledOut += 1
                    }
                } catch {
                    refused += 1
                    let prefix = UnsafeRawBufferPointer(rebasing: line.prefix(limits.refusedLineBytes))
                    let kept = LinePolicy.refused(
                        prefix, lineBytes: row.lineBytes, for: error, peer: Self.peer, tenant: row.tenant, by: policy)
                    append(kept, .refused, tenant: row.tenant, receivedAt: receivedAt)
                }
            }
        }
    }

    private static func check(
        _ line: UnsafeRawBufferPointer, _ row: OutboxRow, _ limits: LimitsConfiguration, _ eventLimits: EventLimits,
        _ parser: EventParser, _ receivedAt: Timestamp
    ) throws(Refusal) {
        guard !row.isUnread else {
            throw Refusal(
                .payloadTooLarge,
                "the payload's numbers are too long once they are printed without exponents (1e3 as 1000); at most "
                    + "\(limits.payloadTextBytes) bytes (limits.payload_text_bytes) are wanted")
        }
        let bytesMax = limits.lineBytes
        guard row.lineBytes <= bytesMax else { throw .lineTooLong(row.lineBytes, max: bytesMax) }
        _ = try parser.validate(line, limits: eventLimits, receivedAt: receivedAt, kind: .event)
    }

    private mutating func append(
        _ line: some Collection<UInt8>, _ kind: RecordKind, tenant: Int32, receivedAt: Timestamp
    ) {
        if let last = records.last, last.kind == kind, last.tenant == tenant,
            last.bytes.count + line.count < Record.payloadBytesMax
        {
            records[records.count - 1].count += 1
        } else {
            records.append(Record(kind: kind, tenant: tenant, receivedAt: receivedAt, count: 1, bytes: []))
        }
        records[records.count - 1].bytes.append(contentsOf: line)
        records[records.count - 1].bytes.append(UInt8(ascii: "\n"))
    }
}
