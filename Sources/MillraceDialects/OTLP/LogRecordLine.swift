internal import FoundationEssentials
internal import MillraceEvent
internal import MillraceJSON

/// A log record as a line.
struct LogRecordLine {
    let record: OTLPLogRecord
    /// It came in JSON.
    let isJSON: Bool

    private static let severities = ["trace", "debug", "info", "warn", "error", "fatal"]
    /// Texts of severities that are not named like those.
    private static let otherSeverities = [
        "information": "info", "notice": "info", "warning": "warn", "err": "error", "critical": "fatal",
        "alert": "fatal",
        "emergency": "fatal",
    ]
    /// In attributes, whose event it is: the first one counts.
    private static let userNames = ["user.id", "enduser.id"]

    /// - Parameters:
    ///   - context: members of the payload that it shares with others; empty ones are none.
    ///   - id: what it is known by, where it has a time.
    func write(context: [[UInt8]], tenant: Int32, id: () -> UniqueID, into out: inout [UInt8]) {
        var line = EventLine(.openTelemetry, tenant: tenant)
        line.type = JSONString.literal(type)
        if let time {
            line.createdAt = time
            line.id = id()
        }
        let user = JSONString.literal(user ?? "")
        user.withUnsafeBytes { user in
            line.user = JSONPiece(user)
            payload(context).withUnsafeBytes { line.write(payload: $0, into: &out) }
        }
    }

    private var time: Timestamp? {
        let nanoseconds = record.timeUnixNano != 0 ? record.timeUnixNano : record.observedTimeUnixNano
        return nanoseconds == 0 ? nil : Timestamp(microseconds: Int64(nanoseconds / 1000))
    }

    private var type: String {
        if !record.eventName.isEmpty { return record.eventName }
        if let name = text(of: "event.name") { return name }
        if (1...24).contains(record.severityNumber) {
            return "log.\(Self.severities[Int(record.severityNumber - 1) / 4])"
        }
        let text = record.severityText.lowercased()
        return "log.\(Self.severities.first { $0 == text } ?? Self.otherSeverities[text] ?? "unspecified")"
    }

    private var user: String? {
        for name in Self.userNames {
            if let user = text(of: name) { return user }
        }
        return nil
    }

    /// Of an attribute; nil where it is no text, or an empty one.
    private func text(of name: String) -> String? {
        guard case .stringValue(let text)? = record.attributes.last(where: { $0.key == name })?.value.value else {
            return nil
        }
        return text.isEmpty ? nil : text
    }

    private func payload(_ context: [[UInt8]]) -> [UInt8] {
        var json = JSONWriter.begunObject()
        json.appendUnlessZero("time_unix_nano", record.timeUnixNano)
        json.appendUnlessZero("observed_time_unix_nano", record.observedTimeUnixNano)
        json.appendUnlessZero("severity_number", record.severityNumber)
        json.appendUnlessEmpty("severity_text", record.severityText)
        json.appendUnlessEmpty("event_name", record.eventName)
        if record.hasBody {
            json.append(name: "body")
            json.append(record.body)
        }
        json.append("attributes", record.attributes)
        json.appendUnlessZero("dropped_attributes_count", record.droppedAttributesCount)
        json.appendUnlessEmpty("trace_id", hexadecimal(record.traceID, byteCount: 16))
        json.appendUnlessEmpty("span_id", hexadecimal(record.spanID, byteCount: 8))
        json.appendUnlessZero("flags", record.flags)
        for member in context where !member.isEmpty {
            json.separate()
            json.append(raw: member)
        }
        json.append(raw: "}")
        return json.bytes
    }

    /// An id in lower-case hexadecimal; empty for none, which zeros are as well.
    ///
    /// OTLP's JSON has ids in hexadecimal, where protobuf's has base64: what was decoded as base64 is made text again.
    /// An id that has the right length without that did come as base64.
    private func hexadecimal(_ id: Data, byteCount: Int) -> String {
        let isText = isJSON && id.count != byteCount
        let text =
            isText
            ? id.base64EncodedString().lowercased()
            : id.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        return text.utf8.allSatisfy { $0 == UInt8(ascii: "0") } ? "" : text
    }
}
