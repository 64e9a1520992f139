import MillraceJSON
import Testing

struct JSONShapeTests {
    private enum Color: String, JSONChoice {
        case red, green
    }

    private struct Part: JSONShape {
        var id: Int

        static let fields: [JSONField<Self>] = [JSONField("id", \.id)]
    }

    private struct Whole: JSONShape {
        var title = "a\"b"
        var isOpen = true
        var color = Color.green
        var since: String?
        var until: String?
        var parts = [Part(id: 1), Part(id: 2)]
        var more: [String] = []

        static let fields: [JSONField<Self>] = [
            JSONField("title", \.title), JSONField("is_open", \.isOpen), JSONField("color", \.color),
            JSONField("since", \.since, as: .time.nullable), JSONField("until", optional: \.until, doc: "At times"),
            JSONField("parts", \.parts),
            .others(.integer, doc: "Counts") { whole, json in
                for name in whole.more {
                    json.append(name: name)
                    json.append(1)
                }
            },
        ]
    }

    @Test func `fields are written in their order, and what is missing as declared`() {
        #expect(
            String(decoding: Whole().json, as: UTF8.self)
                == #"{"title":"a\"b","is_open":true,"color":"green","since":null,"parts":[{"id":1},{"id":2}]}"#)
        let full = Whole(since: "s", until: "u", parts: [], more: ["x", "y"])
        #expect(
            String(decoding: full.json, as: UTF8.self)
                == #"{"title":"a\"b","is_open":true,"color":"green","since":"s","until":"u","parts":[],"x":1,"y":1}"#)
    }

    @Test func `the schema comes from the same fields`() {
        var json = JSONWriter()
        Whole.schema.value.write(to: &json)
        #expect(
            String(decoding: json.bytes, as: UTF8.self)
                == #"{"type":"object","required":["title","is_open","color","since","parts"],"#
                + #""additionalProperties":{"type":"integer","description":"Counts"},"properties":{"#
                + #""title":{"type":"string"},"is_open":{"type":"boolean"},"#
                + #""color":{"type":"string","enum":["red","green"]},"#
                + #""since":{"type":["string","null"],"format":"date-time"},"#
                + #""until":{"type":"string","description":"At times"},"parts":{"type":"array","items":"#
                + #"{"type":"object","required":["id"],"additionalProperties":false,"properties":"#
                + #"{"id":{"type":"integer"}}}}}}"#)
    }

    @Test func `gaps are where they were written`() {
        var json = JSONWriter()
        json.append(raw: "[")
        json.appendGap()
        json.append(raw: "]")
        #expect(json.gaps == [1])
    }
}
