import Testing

@testable import MillraceTreatment

struct SchemaTests {
    private func fits(_ schema: String, _ value: String) throws -> Bool {
        let judge = try RuleJudge(schema: #"{"properties":{"v":\#(schema)}}"#)
        return try judge.misfit(payload: #"{"v":\#(value)}"#) == nil
    }

    private static let numbers: [(String, [String], [String])] = [
        (
            #"{"type":"integer"}"#, ["1", "1.0", "1e2", "-0.0", "12.50e1", "100000000000000000000000"],
            ["1.5", "\"1\"", "1e-1"]
        ),
        (#"{"type":["string","null"]}"#, ["\"\"", "null"], ["1", "{}", "[]", "true"]),
        (
            #"{"minimum":0.1}"#, ["0.1", "0.10000000000000000000000001", "1e-1", "\"\""],
            ["0.0999999999999999999999999", "-5"]
        ),
        (
            #"{"exclusiveMaximum":9007199254740993}"#, ["9007199254740992.9"],
            ["9007199254740993", "9007199254740993.0"]
        ),
        (#"{"maximum":1e300}"#, ["1e300", "9.99e299"], ["1.0000000001e300", "1e301"]),
        (#"{"multipleOf":0.01}"#, ["0.07", "19.99", "1e20", "0", "-0.3"], ["0.075", "1e-3"]),
        (#"{"multipleOf":3}"#, ["9", "3e30", "123456789012345678901234567890"], ["10", "1e30"]),
        (
            #"{"minLength":2,"maxLength":3}"#, [#""ab""#, #""日本語""#, #""😀é""#, #""\u65e5\n""#],
            [#""a""#, #""😀""#, #""abcd""#]
        ),
    ]

    @Test(arguments: numbers)
    func `numbers and texts are compared as what they are`(schema: String, fitting: [String], others: [String]) throws {
        for value in fitting { #expect(try fits(schema, value), "\(value) fits \(schema)") }
        for value in others { #expect(try !fits(schema, value), "\(value) does not fit \(schema)") }
    }

    private static let equality: [(String, [String], [String])] = [
        (#"{"const":1}"#, ["1", "1.0", "10e-1"], ["true", "\"1\"", "2"]),
        (
            #"{"enum":["a\u0062",null,{"x":[1,2.0],"y":"é"}]}"#, [#""ab""#, "null", #"{"y":"\u00e9","x":[1.0,2]}"#],
            [#""a""#, #"{"x":[1,2]}"#, #"{"x":[2,1],"y":"é"}"#]
        ),
        (#"{"const":{"a":1}}"#, [#"{"a":2,"a":1}"#], [#"{"a":1,"a":2}"#, #"{"a":1,"b":1}"#]),
        (
            #"{"uniqueItems":true}"#, ["[1,2]", #"[{"a":1},{"a":2}]"#, "[1,true,\"1\"]", "[[],{}]"],
            ["[1,1.0]", #"[{"a":1,"b":2},{"b":2,"a":1}]"#, "[null,null]"]
        ),
    ]

    @Test(arguments: equality)
    func `values are equal by what JSON means`(schema: String, fitting: [String], others: [String]) throws {
        for value in fitting { #expect(try fits(schema, value), "\(value) fits \(schema)") }
        for value in others { #expect(try !fits(schema, value), "\(value) does not fit \(schema)") }
    }

    private static let containers: [(String, [String], [String])] = [
        (
            #"{"required":["a"],"additionalProperties":false,"properties":{"a":{},"b":{}}}"#,
            [#"{"a":1}"#, #"{"a":1,"b":2}"#, #"{"\u0061":1}"#], ["{}", #"{"a":1,"c":2}"#]
        ),
        (#"{"properties":{"a":{"type":"string"}}}"#, [#"{"a":1,"a":"x"}"#], [#"{"a":"x","a":1}"#]),
        (
            #"{"minProperties":2,"maxProperties":2}"#, [#"{"a":1,"b":2,"a":3}"#],
            [#"{"a":1,"a":2}"#, #"{"a":1,"b":2,"c":3}"#]
        ),
        (
            #"{"patternProperties":{"^x-":{"type":"integer"}},"additionalProperties":{"type":"string"}}"#,
            [#"{"x-a":1,"b":"s"}"#], [#"{"x-a":"s"}"#, #"{"b":1}"#]
        ),
        (#"{"propertyNames":{"maxLength":2}}"#, [#"{"ab":1}"#], [#"{"abc":1}"#]),
        (
            #"{"dependentRequired":{"card":["name"]}}"#, ["{}", #"{"card":1,"name":2}"#, #"{"name":1}"#],
            [#"{"card":1}"#]
        ),
        (#"{"dependentSchemas":{"a":{"required":["b"]}}}"#, [#"{"a":1,"b":1}"#, "{}"], [#"{"a":1}"#]),
        (
            #"{"prefixItems":[{"type":"string"}],"items":{"type":"integer"},"maxItems":3}"#, ["[]", #"["a",1,2]"#],
            ["[1]", #"["a","b"]"#, #"["a",1,2,3]"#]
        ),
        (
            #"{"contains":{"const":1},"minContains":2,"maxContains":3}"#, ["[1,1]", "[1,1,1,0]"],
            ["[1]", "[1,1,1,1]", "[]"]
        ),
        (#"{"contains":{"const":1},"minContains":0}"#, ["[]", "[2]"], []),
        (#"{"anyOf":[{"type":"string"},{"minimum":5}]}"#, ["\"a\"", "5"], ["4"]),
        (#"{"oneOf":[{"multipleOf":2},{"multipleOf":3}]}"#, ["2", "3"], ["6", "1"]),
        (#"{"not":{"type":"null"}}"#, ["1"], ["null"]),
        (
            #"{"if":{"properties":{"k":{"const":"a"}}},"then":{"required":["x"]},"else":{"required":["y"]}}"#,
            [#"{"k":"a","x":1}"#, #"{"k":"b","y":1}"#], [#"{"k":"a","y":1}"#, #"{"k":"b"}"#]
        ),
        ("false", [], ["1", "null"]), ("true", ["1"], []), ("{}", ["[]"], []),
    ]

    @Test(arguments: containers)
    func `objects, arrays and combinations`(schema: String, fitting: [String], others: [String]) throws {
        for value in fitting { #expect(try fits(schema, value), "\(value) fits \(schema)") }
        for value in others { #expect(try !fits(schema, value), "\(value) does not fit \(schema)") }
    }

    @Test func `references within the schema are followed`() throws {
        let judge = try RuleJudge(
            schema:
                ##"{"$schema":"https://json-schema.org/draft/2020-12/schema","$defs":{"a/b":{"type":"integer"},"m":{"properties":{"n":{"$ref":"#/$defs/a~1b"}},"required":["n"]}},"properties":{"x":{"$ref":"#/$defs/m"},"y":{"$ref":"#/%24defs/m","minProperties":2}}}"##
        )
        #expect(try judge.misfit(payload: #"{"x":{"n":1},"y":{"n":2,"o":3}}"#) == nil)
        #expect(try judge.misfit(payload: #"{"x":{"n":"1"}}"#) == "rule test: /payload/x/n has to be a whole number")
        #expect(try judge.misfit(payload: #"{"y":{"n":1}}"#) == "rule test: /payload/y has to have at least 2 members")
    }

    private static let misfits: [(String, String, String)] = [
        (#"{"required":["total"]}"#, "{}", "/payload/total is missing"),
        (
            #"{"properties":{"items":{"items":{"required":["sku"]}}}}"#, #"{"items":[{"sku":1},{}]}"#,
            "/payload/items/1/sku is missing"
        ),
        (
            #"{"properties":{"a":true},"additionalProperties":false}"#, #"{"a":1,"b/~c":2}"#,
            "/payload/b~1~0c must not be there; known are a"
        ),
        (#"{"properties":{"a":{"enum":["x","y"]}}}"#, #"{"a":"secret"}"#, #"/payload/a has to be one of "x", "y""#),
        (#"{"properties":{"a":{"pattern":"^[0-9]+$"}}}"#, #"{"a":"secret"}"#, "/payload/a has to match ^[0-9]+$"),
        (
            #"{"additionalProperties":{"allOf":[{"type":"string"},{"maxLength":3}]}}"#, #"{"k":"secret"}"#,
            "/payload/k has to have at most 3 characters"
        ),
        (
            #"{"properties":{"a":{"anyOf":[{"type":"null"},{"const":1}]}}}"#, #"{"a":"secret"}"#,
            "/payload/a has to fit one of the schemas in anyOf"
        ),
        (#"{"maxProperties":0}"#, #"{"a":1}"#, "/payload has to have at most 0 members"),
    ]

    @Test(arguments: misfits)
    func `what is said names the place and what is wanted, and no value`(
        schema: String, payload: String, message: String
    ) throws {
        let said = try RuleJudge(schema: schema).misfit(payload: payload)
        #expect(said == "rule test: \(message)")
        #expect(said?.contains("secret") == false)
    }

    private static let refusals: [(String, String, String)] = [
        ("]", "", "is no JSON"), ("[]", "", "a schema is an object"), (#"{"type":"strin"}"#, "/type", "is no type"),
        (#"{"format":"email"}"#, "/format", "the keyword format is not supported"),
        (#"{"properties":{"a":{"minumum":1}}}"#, "/properties/a/minumum", "the nearest one is minimum"),
        (#"{"unevaluatedProperties":false}"#, "/unevaluatedProperties", "not supported"),
        (##"{"$ref":"other.json"}"##, "/$ref", "within the schema"),
        (##"{"$ref":"#/$defs/x"}"##, "/$ref", "leads nowhere"),
        (##"{"properties":{"a":{"$ref":"#"}}}"##, "", "refers to itself"),
        (##"{"$defs":{"a":{"$ref":"#/$defs/b"},"b":{"$ref":"#/$defs/a"}}}"##, "/$defs/a", "refers to itself"),
        (#"{"$defs":{"unused":{"format":"x"}}}"#, "/$defs/unused/format", "not supported"),
        (
            #"{"$schema":"http://json-schema.org/draft-07/schema#"}"#, "/$schema",
            "only https://json-schema.org/draft/2020-12"
        ),
        (#"{"minimum":"1"}"#, "/minimum", "a number is wanted"),
        (#"{"minLength":1.5}"#, "/minLength", "a whole number"),
        (#"{"multipleOf":0}"#, "/multipleOf", "above 0"), (#"{"enum":[]}"#, "/enum", "a list of values"),
        (#"{"required":["a",1]}"#, "/required", "a list of names"), (#"{"a":1,"a":2}"#, "", "is there twice"),
        (#"{"pattern":"(?=a)"}"#, "/pattern", "look-ahead"),
        (#"{"patternProperties":{"a{":{}}}"#, "/patternProperties/a{", "regular expression"),
        (#"{"items":[{}]}"#, "/items", "a schema is an object"),
        (#"{"uniqueItems":1}"#, "/uniqueItems", "true or false"),
    ]

    @Test(arguments: refusals)
    func `what is not supported or makes no sense is refused at load, with its place`(
        schema: String, pointer: String, message: String
    ) throws {
        let error = try #require(throws: RulesErrors.self) { _ = try RuleJudge(schema: schema) }
        #expect(error.errors.count == 1)
        #expect(error.errors[0].pointer ?? "" == pointer && error.errors[0].line == 4)
        #expect(error.errors[0].message.contains(message), "\(error)")
    }

    @Test func `references that double at each step are refused, and cost nothing`() throws {
        let definitions = (0..<40).map {
            ##""d\##($0)":{"allOf":[{"$ref":"#/$defs/d\##($0 + 1)"},{"$ref":"#/$defs/d\##($0 + 1)"}]}"##
        }
        let schema =
            ##"{"$defs":{\##(definitions.joined(separator: ",")),"d40":{"type":"string"}},"$ref":"#/$defs/d0"}"##
        let error = try #require(throws: RulesErrors.self) { _ = try RuleJudge(schema: schema) }
        #expect(error.errors[0].code == .tooLarge)
    }
}
