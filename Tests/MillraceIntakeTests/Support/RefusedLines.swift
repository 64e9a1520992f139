import MillraceEvent
import MillraceIntake

/// A line for every code of refusal, small enough to stand in a table.
let refusedLines: [(code: RefusalCode, line: String)] = [
    (.invalidJSON, #"{"event_type":"#),
    (.notAnObject, "[1]"),
    (.nestingTooDeep, #"{"event_type":"a","payload":"# + deep + "}"),
    (.duplicateField, #"{"event_type":"a","event_type":"b"}"#),
    (.unknownField, #"{"event_type":"a","evnt":1}"#),
    (.missingField, #"{"payload":{}}"#),
    (.invalidEventType, #"{"event_type":""}"#),
    (.invalidID, #"{"event_type":"a","id":"1"}"#),
    (.invalidUserID, #"{"event_type":"a","user_id":"me@example.org"}"#),
    (.invalidPayload, #"{"event_type":"a","payload":[]}"#),
    (.payloadTooLarge, #"{"event_type":"a","payload":{"a":""# + String(repeating: "x", count: 1000) + #""}}"#),
    (.invalidCreatedAt, #"{"event_type":"a","created_at":"yesterday"}"#),
    (.createdAtOutOfRange, #"{"event_type":"a","created_at":"1999-01-01T00:00:00Z"}"#),
    (.unsupportedText, #"{"event_type":"a","payload":{"a":"\u0000"}}"#),
    (.numberOutOfRange, #"{"event_type":"a","payload":{"a":1e400000}}"#),
    (.lineTooLong, #"{"event_type":"a","payload":{"a":""# + String(repeating: "x", count: 2000) + #""}}"#),
    (.invalidConversationID, #"{"conversation_id":"","question":"q","response":"r","user_id":"\#(user)"}"#),
    (.invalidQuestion, #"{"conversation_id":"c","question":1,"response":"r","user_id":"\#(user)"}"#),
    (.invalidResponse, #"{"conversation_id":"c","question":"q","response":1,"user_id":"\#(user)"}"#),
    (
        .invalidTimestamp,
        #"{"conversation_id":"c","question":"q","response":"r","user_id":"\#(user)","timestamp":"now"}"#
    ),
    (.invalidSource, #"{"conversation_id":"c","question":"q","response":"r","user_id":"\#(user)","source":1}"#),
    (.invalidMetadata, #"{"conversation_id":"c","question":"q","response":"r","user_id":"\#(user)","metadata":1}"#),
]

let user = "0190b5a0-0000-7000-8000-000000000001"
let good = #"{"event_type":"good"}"#
private let deep = String(repeating: #"{"a":"#, count: 70) + "1" + String(repeating: "}", count: 70)

/// Limits under which the table above holds.
func smallLimits() -> (lines: LimitsConfiguration, events: EventLimits) {
    var limits = LimitsConfiguration()
    limits.lineBytes = 1900
    return (limits, EventLimits(payloadBytes: 900))
}
