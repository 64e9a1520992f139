import MillraceDialects
import MillraceEvent
import Testing

struct LogRecordsTests {
    private static let json = [("Content-Type", "application/json; charset=utf-8")]
    private static let protobuf = [("Content-Type", "application/x-protobuf")]
    private static let time: UInt64 = 1_792_999_999_123_456_789

    private func translated(_ body: String) throws -> Translated {
        try Translated(.openTelemetry, "/v1/logs", body, fields: Self.json)
    }

    private func translated(_ bytes: [UInt8], tenant: Int32 = 0) throws -> Translated {
        try Translated(.openTelemetry, "/v1/logs", bytes: bytes, fields: Self.protobuf, tenant: tenant)
    }

    /// A request of one resource and one scope.
    private func request(_ records: String...) -> String {
        #"{"resourceLogs":[{"scopeLogs":[{"logRecords":[\#(records.joined(separator: ","))]}]}]}"#
    }

    private static let payload =
        #"{"time_unix_nano":1792999999123456789,"observed_time_unix_nano":1792999999123456790,"severity_number":9,"#
        + #""severity_text":"INFO","event_name":"order.paid","body":"paid","attributes":{"user.id":"ada","big":9223372036854775807,"#
        + #""half":0.5,"raw":"AQL/","list":[true,{"a":null}]},"dropped_attributes_count":2,"#
        + #""trace_id":"5b8efff798038103d269b633813fc60c","span_id":"eee19b7ec3c1b174","flags":1,"#
        + #""resource":{"attributes":{"service.name":"shop"},"dropped_attributes_count":1,"schema_url":"https://r"},"#
        + #""scope":{"name":"cart","version":"2","attributes":{"s":"t"},"schema_url":"https://s"},"#
        + #""_millrace":{"source":"opentelemetry","user":"ada"}}"#

    @Test func `a log record in JSON keeps all of it, its resource and its scope`() throws {
        let body = #"""
             {"unknown":[{}],"resourceLogs":[{"schemaUrl":"https://r","resource":{"attributes":[{"key":"service.name",
             "value":{"stringValue":"shop"}}],"droppedAttributesCount":1},"scopeLogs":[{"scope":{"name":"cart","version":"2",
             "attributes":[{"key":"s","value":{"stringValue":"t"}}]},"schemaUrl":"https://s","logRecords":[
             {"timeUnixNano":"1792999999123456789","observedTimeUnixNano":1792999999123456790,"severityNumber":9,
             "severityText":"INFO","eventName":"order.paid","body":{"stringValue":"paid"},"attributes":[
             {"key":"user.id","value":{"stringValue":"ada"}},{"key":"big","value":{"intValue":"9223372036854775807"}},
             {"key":"half","value":{"doubleValue":0.5}},{"key":"raw","value":{"bytesValue":"AQL/"}},
             {"key":"list","value":{"arrayValue":{"values":[{"boolValue":true},
             {"kvlistValue":{"values":[{"key":"a","value":{}}]}}]}}}],"droppedAttributesCount":2,"flags":1,"later":{"a":1},
             "traceId":"5B8EFFF798038103D269B633813FC60C","spanId":"eee19b7ec3c1b174"}]}]}]}
            """#
        let event = try translated(body).events()[0]
        #expect(event.eventType == "order.paid")
        #expect(event.createdAt == Timestamp(microseconds: Int64(Self.time / 1000)))
        #expect(event.userID == ExternalUserID.id(of: "ada", tenant: 0))
        #expect(event.payload == Self.payload)
        #expect(try translated(body).events()[0].id == event.id)
    }

    @Test func `a log record in protobuf says the same`() throws {
        let list = ProtobufBytes().with(
            5,
            ProtobufBytes().with(1, ProtobufBytes().with(2, varint: 1)).with(
                1,
                ProtobufBytes().with(6, ProtobufBytes().with(1, ProtobufBytes.attribute("a", ProtobufBytes())))))
        let record = ProtobufBytes().with(1, fixed64: Self.time).with(11, fixed64: Self.time + 1).with(2, varint: 9)
            .with(3, "INFO").with(12, "order.paid").with(5, ProtobufBytes.text("paid"))
            .with(6, ProtobufBytes.attribute("user.id", ProtobufBytes.text("ada")))
            .with(6, ProtobufBytes.attribute("big", ProtobufBytes().with(3, varint: UInt64(Int64.max))))
            .with(6, ProtobufBytes.attribute("half", ProtobufBytes().with(4, fixed64: (0.5).bitPattern)))
            .with(6, ProtobufBytes.attribute("raw", ProtobufBytes().with(7, [1, 2, 255])))
            .with(6, ProtobufBytes.attribute("list", list)).with(7, varint: 2).with(8, fixed32: 1).with(99, "later")
            .with(
                9, [0x5B, 0x8E, 0xFF, 0xF7, 0x98, 3, 0x81, 3, 0xD2, 0x69, 0xB6, 0x33, 0x81, 0x3F, 0xC6, 0x0C]
            )
            .with(10, [0xEE, 0xE1, 0x9B, 0x7E, 0xC3, 0xC1, 0xB1, 0x74])
        let resource = ProtobufBytes().with(1, ProtobufBytes.attribute("service.name", ProtobufBytes.text("shop")))
            .with(2, varint: 1)
        let scope = ProtobufBytes().with(1, "cart").with(2, "2").with(
            3, ProtobufBytes.attribute("s", ProtobufBytes.text("t")))
        let logs = ProtobufBytes().with(1, resource).with(3, "https://r")
            .with(2, ProtobufBytes().with(1, scope).with(2, record).with(3, "https://s"))
        let event = try translated(ProtobufBytes().with(1, logs).bytes).events()[0]
        #expect(event.payload == Self.payload)
        #expect(event.createdAt == Timestamp(microseconds: Int64(Self.time / 1000)))
    }

    @Test func `the same request gives the same ids, and each record of one its own`() throws {
        let record = ProtobufBytes().with(1, fixed64: Self.time)
        let late = ProtobufBytes().with(11, fixed64: Self.time)
        let body = ProtobufBytes.request([record, record, late, ProtobufBytes()])
        let events = try translated(body).events()
        let again = try translated(body).events()
        #expect(Set(events.map(\.id)).count == 4)
        #expect(events.prefix(3).map(\.id) == again.prefix(3).map(\.id))
        // Without any time, the same again may be another one.
        #expect(try !translated(body).lines[3].get().contains("\"id\""))
        #expect(events[2].createdAt == events[0].createdAt)
        #expect(events[3].createdAt == Translated.receivedAt)
        #expect(try translated(body, tenant: 7).events()[0].id != events[0].id)
        #expect(try translated(ProtobufBytes.request([record])).events()[0].id != events[0].id)
    }

    @Test(arguments: [
        (#""eventName":"a.b","severityNumber":9"#, "a.b"),
        (#""attributes":[{"key":"event.name","value":{"stringValue":"c.d"}}],"severityNumber":9"#, "c.d"),
        (#""attributes":[{"key":"event.name","value":{"intValue":1}}]"#, "log.unspecified"),
        (#""severityNumber":1"#, "log.trace"), (#""severityNumber":8"#, "log.debug"),
        (#""severityNumber":12"#, "log.info"), (#""severityNumber":13,"severityText":"ERROR""#, "log.warn"),
        (#""severityNumber":20"#, "log.error"), (#""severityNumber":24"#, "log.fatal"),
        (#""severityNumber":25"#, "log.unspecified"), (#""severityText":"Warning""#, "log.warn"),
        (#""severityText":"INFO""#, "log.info"), (#""severityText":"x y z""#, "log.unspecified"),
        ("", "log.unspecified"),
    ])
    func `an event's name is its type, else the severity is`(members: String, type: String) throws {
        #expect(try translated(request("{\(members)}")).events()[0].eventType == type)
    }

    @Test(arguments: [
        (#"{"intValue":"-9223372036854775808"}"#, "-9223372036854775808"), (#"{"intValue":5}"#, "5"),
        (#"{"doubleValue":"NaN"}"#, "\"NaN\""), (#"{"doubleValue":"-Infinity"}"#, "\"-Infinity\""),
        (#"{"doubleValue":1e300}"#, "1e+300"), (#"{"stringValue":"\"é\n"}"#, #""\"é\n""#), ("{}", "null"),
        (#"{"bytesValue":""}"#, "\"\""), (#"{"arrayValue":{}}"#, "[]"), (#"{"kvlistValue":{"values":[]}}"#, "{}"),
    ])
    func `a value is JSON's own where JSON has it`(value: String, json: String) throws {
        let payload = try translated(request("{\"body\":\(value)}")).events()[0].payload
        #expect(payload == #"{"body":\#(json),"_millrace":{"source":"opentelemetry"}}"#)
    }

    @Test(arguments: [
        (#""traceId":"","spanId":"0000000000000000""#, ""),
        (#""traceId":"W47/95gDgQPSabYzgT/GDA==""#, #""trace_id":"5b8efff798038103d269b633813fc60c","#),
        (#""spanId":"EEE19B7EC3C1B173""#, #""span_id":"eee19b7ec3c1b173","#),
    ])
    func `ids are hexadecimal, and zeros are none`(members: String, kept: String) throws {
        let payload = try translated(request("{\(members)}")).events()[0].payload
        #expect(payload == #"{\#(kept)"_millrace":{"source":"opentelemetry"}}"#)
    }

    @Test func `what can't be read is refused by itself`() throws {
        var deep = #"{"stringValue":"x"}"#
        for _ in 0..<5000 { deep = #"{"arrayValue":{"values":[\#(deep)]}}"# }
        #expect(throws: Refusal.self) { try translated(request("{\"body\":\(deep)}")) }
        var nested = #"{"stringValue":"x"}"#
        for _ in 0..<200 { nested = #"{"arrayValue":{"values":[\#(nested)]}}"# }
        let long = String(repeating: "x", count: LimitsConfiguration().lineBytes)
        let good = #"{"severityNumber":9}"#
        let records = try translated(
            request(
                good, "{\"body\":\(nested)}", good, #"{"timeUnixNano":"soon"}"#, "5", #"{"severityText":"\#(long)"}"#,
                good
            ))
        #expect(records.refusals == [nil, .invalidPayload, nil, .invalidPayload, .invalidPayload, .lineTooLong, nil])

        let groups = try translated(
            #"{"resourceLogs":[5,{"scopeLogs":{}},{"scopeLogs":[[],{"logRecords":[{}]}]},{"resource":[],"scopeLogs":[{"#
                + #""logRecords":[{},{}]}]},{},null,{"resource":null,"scopeLogs":[{"scope":null,"logRecords":[{}]}]}]}"#
        )
        #expect(
            groups.refusals == [
                .notAnObject, .invalidPayload, .notAnObject, nil, .invalidPayload, .invalidPayload, .notAnObject, nil,
            ])

        var binary = ProtobufBytes.text("x")
        for _ in 0..<200 { binary = ProtobufBytes().with(5, ProtobufBytes().with(1, binary)) }
        let mixed = try translated(
            ProtobufBytes.request([ProtobufBytes().with(5, binary), ProtobufBytes().with(3, [0xFF]), ProtobufBytes()]))
        #expect(mixed.refusals == [.invalidPayload, .invalidPayload, nil])
    }

    @Test(arguments: ["", "5", "[]", "null", "{", #"{"resourceLogs":5}"#, #"{"resourceLogs":[{"a":}]}"#, "{} {}"])
    func `what is no request is refused as a whole`(body: String) {
        #expect(throws: Refusal.self) { try translated(body) }
    }

    @Test(arguments: ["{}", #" {"resourceLogs":null}"#, #"{"resourceLogs":[]}"#, "\u{FEFF}{\"resourceLogs\":[{}]}"])
    func `a request without records is one`(body: String) throws {
        #expect(try translated(body).lines.isEmpty)
    }

    @Test func `damaged protobuf is an error or gives lines, and never more of them than bytes`() throws {
        #expect(try translated([]).lines.isEmpty)
        #expect(throws: Refusal.self) { try translated([0x0A]) }
        #expect(throws: Refusal.self) { try translated([0x0A, 0xFF, 0xFF, 0xFF, 0xFF, 0x0F, 0]) }
        let groups = Array(repeatElement([0x0A, 0] as [UInt8], count: 10_000).joined())
        #expect(try translated(groups).lines.isEmpty)
    }

    @Test func `what was refused is counted in the request's encoding`() throws {
        var json = try #require(DialectReply(DialectRequest(.openTelemetry, uri: "/v1/logs", fields: Self.json)))
        var binary = try #require(DialectReply(DialectRequest(.openTelemetry, uri: "/v1/logs", fields: Self.protobuf)))
        for _ in 0..<2 {
            json.add(uuid: nil, nil)
            binary.add(uuid: nil, nil)
        }
        #expect(json.answer.status == 200 && json.answer.body == Array("{}".utf8))
        #expect(binary.answer.body.isEmpty && binary.answer.contentType == "application/x-protobuf")
        json.add(uuid: nil, Refusal(.missingField, "a is missing"))
        binary.add(uuid: nil, Refusal(.missingField, "a is missing"))
        let message =
            "1 of 3 log records are refused, counted from 0: number 2 is refused with missing_field: a is missing"
        #expect(
            String(decoding: json.answer.body, as: UTF8.self)
                == #"{"partialSuccess":{"rejectedLogRecords":"1","errorMessage":"\#(message)"}}"#)
        #expect(
            binary.answer.body == ProtobufBytes().with(1, ProtobufBytes().with(1, varint: 1).with(2, message)).bytes)
        for _ in 0..<5 { json.add(uuid: nil, Refusal(.missingField, "b")) }
        #expect(String(decoding: json.answer.body, as: UTF8.self).hasSuffix(#"missing_field: b; …"}}"#))
    }

    @Test func `a problem is a status of gRPC in the request's encoding`() {
        let json = DialectReply.Answer.openTelemetryProblem(
            code: "spool_full", message: "m", status: 503, isProtobuf: false)
        #expect(String(decoding: json.body, as: UTF8.self) == #"{"code":14,"message":"spool_full: m"}"#)
        let binary = DialectReply.Answer.openTelemetryProblem(
            code: "unauthenticated", message: "m", status: 401, isProtobuf: true)
        #expect(binary.body == ProtobufBytes().with(1, varint: 16).with(2, "unauthenticated: m").bytes)
    }
}
