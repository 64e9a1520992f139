import MillraceEvent
import MillraceIntake

/// Rows of the outbox as records of the spool: events, and rows that are none as `refused` lines for `dead_letters`.
struct OutboxBatch {
    /// In the rows' order; a run of one kind and tenant is one record, cut at `Record.payloadBytesMax`.
    private(set) var records: [Record] = []
    /// Rows that are no events.
    private(set) var refused = 0

    /// What is refused is kept as far as `limits` say.
    init(
        _ rows: [OutboxRow], limits: LimitsConfiguration, eventLimits: EventLimits, parser: EventParser,
        receivedAt: Timestamp
    ) {
        for row in rows {
            var line = Array(row.line.utf8)
            let count = line.count
            line.append(contentsOf: repeatElement(0, count: EventParser.paddingBytes))
            line.withUnsafeBytes { bytes in
                let line = UnsafeRawBufferPointer(rebasing: bytes[..<count])
                if let refusal = Self.refusal(of: line, row, limits, eventLimits, parser, receivedAt) {
                    refused += 1
                    let prefix = UnsafeRawBufferPointer(rebasing: line.prefix(limits.refusedLineBytes))
                    let kept = RefusedLine(refusal: refusal, peer: "outbox", prefix: prefix, lineBytes: row.lineBytes)
                    append(kept.json, .refused, tenant: row.tenant, receivedAt: receivedAt)
                } else {
                    append(line, .event, tenant: row.tenant, receivedAt: receivedAt)
                }
            }
        }
    }

    private static func refusal(
        of line: UnsafeRawBufferPointer, _ row: OutboxRow, _ limits: LimitsConfiguration, _ eventLimits: EventLimits,
        _ parser: EventParser, _ receivedAt: Timestamp
    ) -> Refusal? {
        guard !row.isUnread else {
            return Refusal(
                .payloadTooLarge,
                "the payload's numbers are too long once they are printed without exponents (1e3 as 1000); at most "
                    + "\(limits.payloadTextBytes) bytes (limits.payload_text_bytes) are wanted")
        }
        let bytesMax = limits.lineBytes
        guard row.lineBytes <= bytesMax else { return .lineTooLong(row.lineBytes, max: bytesMax) }
        do throws(Refusal) {
            _ = try parser.validate(line, limits: eventLimits, receivedAt: receivedAt, kind: .event)
            return nil
        } catch {
            return error
        }
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
