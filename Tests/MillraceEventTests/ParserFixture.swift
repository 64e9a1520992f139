import MillraceEvent
import Testing

/// 2026-11-20T12:00:00Z, when the lines of these tests are received.
let receivedAt = Timestamp(microseconds: 1_795_176_000_000_000)

extension EventParser {
    /// Parses `line` with bytes after it that would change the meaning of any line that read them.
    func parse(_ line: [UInt8], limits: EventLimits = EventLimits()) throws(Refusal) -> ParsedLine {
        let padding = Array(#"9"}]}}]},"a":1}e9\u00"}}}}"#.utf8)
        let padded = line + (0..<EventParser.paddingBytes).map { padding[$0 % padding.count] }
        let outcome = padded.withUnsafeBytes { bytes in
            Result { () throws(Refusal) in
                try parse(
                    UnsafeRawBufferPointer(rebasing: bytes[..<line.count]), limits: limits, receivedAt: receivedAt)
            }
        }
        return try outcome.get()
    }

    func parse(_ line: String, limits: EventLimits = EventLimits()) throws(Refusal) -> ParsedLine {
        try parse(Array(line.utf8), limits: limits)
    }

    /// The event that `line` is; a failure of the test when it is refused or is something else.
    func event(_ line: String, limits: EventLimits = EventLimits()) throws -> AnalyticsEvent {
        guard case .event(let event) = try parse(line, limits: limits) else {
            throw Refusal(.invalidEventType, "a conversation save, not an event")
        }
        return event
    }

    /// Why `line` is refused; nil when it is accepted.
    func refusal(_ line: [UInt8], limits: EventLimits = EventLimits()) -> Refusal? {
        do throws(Refusal) {
            _ = try parse(line, limits: limits)
            return nil
        } catch {
            return error
        }
    }

    func refusal(_ line: String, limits: EventLimits = EventLimits()) -> Refusal? {
        refusal(Array(line.utf8), limits: limits)
    }
}

/// Lines to truncate and mutate.
let validLines = [
    #"{"event_type":"page.edited","user_id":null,"payload":{"page":"Räder","delta":-12.5e3,"tags":["a","b\n"]}}"#,
    #"{"id":"0a1b2c3d-4e5f-4678-9abc-def012345678","event_type":"cart.done","#
        + #""user_id":"0A1B2C3D-4E5F-4678-9ABC-DEF012345678","created_at":"2026-11-05T12:34:56.789Z","#
        + #""payload":{"a":{"b":[{},[],{"c":[1,2,3]}]},"日本":"\ud83d\ude00 \u00e9","t":true,"f":false,"n":null}}"#,
    #"{"event_type":"x","created_at":1795000000000}"#,
    #"{"conversation_id":"conv-1","question":"Why \"so\"?","response":"Because\tof \\ it","#
        + #""user_id":"0a1b2c3d-4e5f-4678-9abc-def012345678","timestamp":"2026-10-01T00:00:00+02:00","#
        + #""source":"web","metadata":{"lang":"de","n":[0,-1,1.0E-5]}}"#,
]
