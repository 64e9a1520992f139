internal import MillraceProjections

/// `/openapi.json`, made of the operations that the router takes its paths and parameters from.
struct OpenAPIDocument: Sendable {
    let operations: [APIOperation]
    /// Those that are loaded.
    let packs: [PackDefinition]
    let version: String
    /// Whether no key is configured, so that this machine reads without a token.
    let isOpen: Bool

    var json: JSONWriter {
        var json = JSONWriter()
        tree.write(to: &json)
        return json
    }

    private var tree: JSONTree {
        var paths: [(String, [(String, JSONTree)])] = []
        for operation in operations {
            let entry = (operation.method.rawValue, describe(operation))
            if let index = paths.firstIndex(where: { $0.0 == operation.path }) {
                paths[index].1.append(entry)
            } else {
                paths.append((operation.path, [entry]))
            }
        }
        return .object([
            ("openapi", "3.1.0"),
            (
                "info",
                .object([
                    ("title", "Millrace"), ("version", .string(version)),
                    ("license", .object([("name", "Apache 2.0"), ("identifier", "Apache-2.0")])),
                ])
            ),
            ("paths", .object(paths.map { ($0.0, .object($0.1)) })),
            (
                "components",
                .object([
                    ("schemas", .object(OpenAPISchemas.all)),
                    (
                        "securitySchemes",
                        .object([
                            (
                                "bearer",
                                .object([
                                    ("type", "http"), ("scheme", "bearer"), ("bearerFormat", "JWT"),
                                    (
                                        "description",
                                        .string(
                                            "Reading wants `\(ReadAccess.scope)` in the claim `scope`, or the service role"
                                        )
                                    ),
                                ])
                            )
                        ])
                    ),
                ])
            ),
        ])
    }

    private func describe(_ operation: APIOperation) -> JSONTree {
        var members: [(String, JSONTree)] = [
            ("operationId", .string(operation.id)), ("tags", [.string(operation.tag)]),
            ("summary", .string(operation.summary)),
        ]
        let parameters =
            operation.pathParameters.map { describe($0, in: "path", operation) }
            + operation.parameters.map { describe($0, in: "query", operation) }
            + (operation.takesColumns ? [Self.columns] : [])
        if !parameters.isEmpty { members.append(("parameters", .array(parameters))) }
        if let body = operation.body { members.append(("requestBody", describe(body))) }
        members.append(("responses", .object(responses(operation))))
        switch operation.access {
        case .open: break
        case .read: members.append(("security", isOpen ? [.object([])] : [.object([("bearer", [])])]))
        case .user: members.append(("security", [.object([("bearer", [])])]))
        }
        return .object(members)
    }

    private func describe(_ parameter: APIParameter, in place: String, _ operation: APIOperation) -> JSONTree {
        var doc = parameter.doc
        if let fallback = parameter.fallback { doc += ". Default: \(fallback)" }
        var members: [(String, JSONTree)] = [
            ("name", .string(parameter.name)), ("in", .string(place)), ("description", .string(doc)),
        ]
        if parameter.isRequired || place == "path" { members.append(("required", .bool(true))) }
        if case .object = parameter.kind {
            members.append(
                ("content", .object([("application/json", .object([("schema", .object([("type", "object")]))]))])))
        } else {
            members.append(("schema", .object(schema(parameter))))
            if let example = parameter.example { members.append(("example", .string(example))) }
        }
        return .object(members)
    }

    private func schema(_ parameter: APIParameter) -> [(String, JSONTree)] {
        if parameter.name == "pack", !packs.isEmpty {
            return [("type", "string"), ("enum", .strings(packs.map(\.name)))]
        }
        switch parameter.kind {
        case .text(let bytesMax):
            return [("type", "string"), ("minLength", .integer(1)), ("maxLength", .integer(bytesMax))]
        case .uuid: return [("type", "string"), ("format", "uuid")]
        case .time:
            let texts = ["date-time", "date"].map { format in
                JSONTree.object([("type", "string"), ("format", .string(format))])
            }
            return [("anyOf", .array(texts + [.object([("type", "integer")])]))]
        case .integer(let range):
            return [
                ("type", "integer"), ("minimum", .integer(range.lowerBound)), ("maximum", .integer(range.upperBound)),
            ]
        case .choice(let choices): return [("type", "string"), ("enum", .strings(choices))]
        case .object: return [("type", "object")]
        case .cursor: return [("type", "string"), ("pattern", "^[A-Za-z0-9_-]{12,}$")]
        case .names: return [("type", "string"), ("pattern", "^[a-z0-9_]+(,[a-z0-9_]+)*$")]
        }
    }

    private static let columns = JSONTree.object([
        ("name", "columns"), ("in", "query"), ("style", "form"), ("explode", .bool(true)),
        ("description", "A column and the value it must have; /v1/packs lists them"),
        ("schema", .object([("type", "object"), ("additionalProperties", .object([("type", "string")]))])),
    ])

    private func describe(_ body: APIOperation.Body) -> JSONTree {
        .object([
            ("required", .bool(true)),
            (
                "content",
                .object(
                    body.schemas.map { type, schema in
                        (type, .object([("schema", schema)] + (body.example.map { [("example", $0)] } ?? [])))
                    })
            ),
        ])
    }

    private func responses(_ operation: APIOperation) -> [(String, JSONTree)] {
        var responses: [(String, JSONTree)] = operation.successes.map { status, doc in
            (String(status), answer(doc, operation))
        }
        for (status, doc) in operation.failures(hasKeys: !isOpen) {
            responses.append((String(status), Self.failure(status, doc, operation)))
        }
        return responses
    }

    private func answer(_ doc: String, _ operation: APIOperation) -> JSONTree {
        let content: (String, JSONTree) =
            if let schema = operation.answer {
                ("application/json", .object([("schema", Self.reference(schema))]))
            } else {
                ("text/plain", .object([("schema", .object([("type", "string")]))]))
            }
        return .object([("description", .string(doc)), ("content", .object([content] + operation.furtherContent))])
    }

    private static func failure(_ status: Int, _ doc: String, _ operation: APIOperation) -> JSONTree {
        let schema = status == 503 ? operation.unavailableAnswer : nil
        var members: [(String, JSONTree)] = [
            ("description", .string(doc)),
            (
                "content",
                .object([("application/json", .object([("schema", reference(schema ?? operation.errorAnswer))]))])
            ),
        ]
        if status == 503, schema == nil {
            members.append(
                ("headers", .object([("Retry-After", .object([("schema", .object([("type", "integer")]))]))])))
        }
        return .object(members)
    }

    private static func reference(_ schema: String) -> JSONTree {
        .object([("$ref", .string("#/components/schemas/\(schema)"))])
    }
}
