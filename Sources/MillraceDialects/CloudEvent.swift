internal import FoundationEssentials
internal import MillraceEvent
internal import MillraceJSON

/// An event of CloudEvents 1.0 in its JSON format, which the binary mode is made to as well.
struct CloudEvent {
    private let event: JSONObject

    init(_ event: JSONObject) { self.event = event }

    func write(tenant: Int32, into out: inout [UInt8]) throws(Refusal) {
        for name in ["specversion", "id", "source", "type"] as [StaticString] {
            guard let piece = event[name] else {
                throw Refusal(.missingField, "\(name) is missing; a CloudEvent has specversion, id, source and type")
            }
            guard let text = piece.text, !text.isEmpty else {
                throw Refusal(.invalidPayload, "\(name) is no string, or an empty one")
            }
            if name.utf8CodeUnitCount == 11, text != "1.0" {
                throw Refusal(.invalidPayload, "specversion is not 1.0, which is what is read here")
            }
        }
        if event["data"] != nil, event["data_base64"] != nil {
            throw Refusal(.invalidPayload, "data and data_base64 are there; one of them is wanted")
        }
        if let time = event["time"], !time.isNull, time.text.flatMap({ Timestamp(rfc3339: $0) }) == nil {
            throw Refusal(.invalidCreatedAt, "time is no such time; RFC 3339 with offset is wanted")
        }
        var line = EventLine(.cloudEvents, tenant: tenant)
        line.type = event["type"].map { Array($0.bytes) } ?? []
        // Of two sources, the same id is of two events, even where it is a UUID.
        line.id = ExternalEventID.id(of: [event["source"]?.text ?? "", event["id"]?.text ?? ""], tenant: tenant)
        line.user = event["userid"]
        line.createdAt = event["time"]?.time
        line.write(payload: event.text, into: &out)
    }

    /// A binary-mode request as the JSON format has it. Throws where an attribute is none.
    static func structured(_ body: UnsafeRawBufferPointer, _ request: DialectRequest) throws(Refusal) -> [UInt8] {
        var json = JSONWriter()
        json.append(raw: "{")
        for (name, value) in request.fields.sorted(by: { $0.key < $1.key }) where name != "content-type" {
            let name = String(name.dropFirst(3))
            guard name.utf8.allSatisfy({ isNameByte($0) }), name != "datacontenttype", !name.isEmpty else {
                throw Refusal(
                    .invalidPayload,
                    "the header ce-\(name) is none of an attribute; letters and digits are wanted, and the type of the data in "
                        + "Content-Type")
            }
            json.append(name: name)
            json.append(try attribute(value, named: name))
        }
        if let type = request.fields["content-type"] {
            json.append(name: "datacontenttype")
            json.append(type)
        }
        try appendData(body, ofType: request.contentType, to: &json)
        json.append(raw: "}")
        return json.bytes
    }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
    }

    private static func appendData(
        _ body: UnsafeRawBufferPointer, ofType type: String, to json: inout JSONWriter
    ) throws(Refusal) {
        guard !body.isEmpty else { return }
        if type.isEmpty || type == "application/json" || type == "text/json" || type.hasSuffix("+json") {
            json.append(name: "data")
            // It becomes a part of a text that is checked as a whole; this keeps it from being more than one value.
            let text = Array(body.withoutMark)
            let start = JSONScanner.afterSpace(text[...], 0)
            let end = JSONScanner.afterValue(text[...], start)
            guard end > start, JSONScanner.afterSpace(text[...], end) == text.count else {
                throw Refusal(.invalidJSON, "the body is no JSON, which its Content-Type says that it is")
            }
            json.append(raw: text[start..<end])
        } else if let text = String(validating: body, as: UTF8.self), type.hasPrefix("text/"), !text.utf8.contains(0) {
            json.append(name: "data")
            json.append(text)
        } else {
            json.append(name: "data_base64")
            json.append(Data(body).base64EncodedString())
        }
    }

    /// The value of a header: unquoted, then percent-decoded once.
    private static func attribute(_ value: String, named name: String) throws(Refusal) -> String {
        var bytes = Array(value.utf8)
        if bytes.count >= 2, bytes.first == UInt8(ascii: "\""), bytes.last == UInt8(ascii: "\"") {
            var plain: [UInt8] = []
            var rest = bytes.dropFirst().dropLast()
            while let byte = rest.popFirst() {
                plain.append(byte == UInt8(ascii: "\\") ? rest.popFirst() ?? byte : byte)
            }
            bytes = plain
        }
        var decoded: [UInt8] = []
        var rest = bytes[...]
        while let byte = rest.popFirst() {
            let digits = rest.prefix(2)
            if byte == UInt8(ascii: "%"), digits.count == 2, let value = FormFields.value(digits) {
                decoded.append(value)
                rest = rest.dropFirst(2)
            } else {
                decoded.append(byte)
            }
        }
        guard let text = String(validating: decoded, as: UTF8.self) else {
            throw Refusal(.invalidUTF8, "the header ce-\(name) is no UTF-8 once it is percent-decoded")
        }
        return text
    }
}
