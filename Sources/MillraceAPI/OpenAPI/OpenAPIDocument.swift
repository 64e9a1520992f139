internal import MillraceJSON
internal import MillraceProjections
internal import MillraceRoutes

/// `/openapi.json`, made of the operations that the router takes its paths and parameters from.
struct OpenAPIDocument: Sendable {
    static let operation = APIOperation(
        .openAPI, id: "openapi", tag: "operations", summary: "This description", access: .operations,
        answer: APIOperation.Component(name: "OpenAPI", schema: .anyObject))

    let operations: [APIOperation]
    /// Those that are loaded.
    let packs: [PackDefinition]
    let version: String
    /// Whether every route but the probes wants a key or a token.
    let wantsKeys: Bool
    let takesTokens: Bool

    var json: [UInt8] {
        let document: JSONValue = [
            "openapi": "3.1.0",
            "info": [
                "title": "Millrace", "version": .string(version),
                "license": ["name": "Apache 2.0", "identifier": "Apache-2.0"],
            ],
            "paths": .object(paths),
            "components": [
                "schemas": .object(schemas),
                "securitySchemes": .object(securitySchemes),
            ],
        ]
        var json = JSONWriter()
        document.write(to: &json)
        return json.bytes
    }

    private static let tokenScheme = "bearer"
    /// In the order in which they are offered.
    private static let keySchemes = ["key", "basic"]

    private var securitySchemes: [(String, JSONValue)] {
        let keys: [(String, JSONValue)] = [
            (
                "key",
                [
                    "type": "http", "scheme": "bearer", "bearerFormat": "mr_…",
                    "description": "A key of `millrace keys create`, with the scope that the route wants",
                ]
            ),
            ("basic", ["type": "http", "scheme": "basic", "description": "The key as user, without a password"]),
        ]
        let tokens: JSONValue = [
            "type": "http", "scheme": "bearer", "bearerFormat": "JWT",
            "description": .string(
                "Reading needs the scope of `jwt.read_scope`, or the service role"),
        ]
        return (wantsKeys ? keys : []) + [(Self.tokenScheme, tokens)]
    }

    /// Each by itself opens the operation; nil: it is open to all.
    private func security(of access: APIOperation.Access) -> JSONValue? {
        let tokens = takesTokens ? [Self.tokenScheme] : []
        let schemes: [String]
        switch access {
        case .open: return nil
        case .intake, .operations:
            guard wantsKeys else { return nil }
            schemes = Self.keySchemes + (access == .operations ? tokens : [])
        case .read, .admin: schemes = (wantsKeys ? Self.keySchemes : []) + tokens
        case .write: schemes = wantsKeys ? Self.keySchemes + tokens : [Self.tokenScheme]
        }
        return schemes.isEmpty ? [[:]] : .array(schemes.map { .object([($0, .array([]))]) })
    }

    private var paths: [(String, JSONValue)] {
        var paths: [(String, [(String, JSONValue)])] = []
        for operation in operations {
            for path in [operation.route.path] + operation.route.furtherPaths {
                let isFirst = path == operation.route.path
                // Of further paths, with their names behind it: an id is of one operation.
                let id = isFirst ? operation.id : operation.id + path.replacing("/", with: "_")
                let entry = (operation.route.method.rawValue, describe(operation, id: id))
                if let index = paths.firstIndex(where: { $0.0 == path }) {
                    paths[index].1.append(entry)
                } else {
                    paths.append((path, [entry]))
                }
            }
        }
        return paths.map { ($0.0, .object($0.1)) }
    }

    /// Each once, in the order in which operations first name them.
    private var schemas: [(String, JSONValue)] {
        var found: [APIOperation.Component] = []
        for component in operations.flatMap(\.components) where !found.contains(where: { $0.name == component.name }) {
            found.append(component)
        }
        return found.map { ($0.name, $0.schema.value) }
    }

    private func describe(_ operation: APIOperation, id: String) -> JSONValue {
        var members: [(String, JSONValue)] = [
            ("operationId", .string(id)), ("tags", [.string(operation.tag)]),
            ("summary", .string(operation.summary)),
        ]
        switch operation.ownRows {
        case .none: break
        case .parameter: members.append(("description", .string(Self.ownRows + ".")))
        case .column: members.append(("description", .string(Self.ownRows + ", where they are counted by user_id.")))
        }
        let parameters =
            operation.pathParameters.map { describe($0, in: "path") }
            + operation.headers.map { describe($0, in: "header") }
            + operation.parameters.map { describe($0, in: "query") } + (operation.takesColumns ? [Self.columns] : [])
        if !parameters.isEmpty { members.append(("parameters", .array(parameters))) }
        if let body = operation.body { members.append(("requestBody", describe(body))) }
        members.append(("responses", .object(responses(operation))))
        if let security = security(of: operation.access) { members.append(("security", security)) }
        return .object(members)
    }

    private func describe(_ parameter: APIParameter, in place: String) -> JSONValue {
        var members: [(String, JSONValue)] = [
            ("name", .string(parameter.name)), ("in", .string(place)), ("description", .string(parameter.description)),
        ]
        if parameter.isRequired || place == "path" { members.append(("required", .bool(true))) }
        if case .object = parameter.kind {
            members.append(Self.content([("application/json", parameter.kind.schema)]))
        } else {
            let isPack = parameter.name == "pack" && !packs.isEmpty
            let schema = isPack ? .choice(packs.map(\.name)) : parameter.kind.schema
            members.append(("schema", schema.value))
            if let example = parameter.example { members.append(("example", .string(example))) }
        }
        return .object(members)
    }

    private static let ownRows = "A user's token without the scope millrace:read reads the rows of its sub"

    private static let columns: JSONValue = [
        "name": .string(APIOperation.columns.name), "in": "query", "style": "form", "explode": .bool(true),
        "description": .string(APIOperation.columns.doc), "schema": APIOperation.columns.schema.value,
    ]

    private func describe(_ body: APIOperation.Body) -> JSONValue {
        ["required": .bool(true), "content": Self.content(body.schemas, example: body.example).1]
    }

    private func responses(_ operation: APIOperation) -> [(String, JSONValue)] {
        let answer = operation.answer.map { ("application/json", $0.reference) } ?? (operation.textType, .text)
        let successes = operation.successes.map { status, doc in
            Self.response(
                status, doc, status == 204 ? [] : [answer] + operation.furtherContent,
                headers: operation.route.readsReplicas ? Self.lagHeader : [:])
        }
        let failures = operation.failures(wantsKeys: wantsKeys, takesTokens: takesTokens).map { status, doc in
            let schema = status == 503 ? operation.unavailableAnswer : nil
            return Self.response(
                status, doc, [("application/json", (schema ?? operation.errorAnswer).reference)],
                headers: status == 503 && schema == nil ? Self.retryHeader : [:])
        }
        return successes + failures
    }

    private static func response(
        _ status: Int, _ doc: String, _ schemas: [(String, JSONSchema)], headers: JSONValue
    ) -> (String, JSONValue) {
        var members: [(String, JSONValue)] = [("description", .string(doc))]
        if !schemas.isEmpty { members.append(content(schemas)) }
        if case .object(let fields) = headers, !fields.isEmpty { members.append(("headers", headers)) }
        return (String(status), .object(members))
    }

    private static let retryHeader: JSONValue = ["Retry-After": ["schema": ["type": "integer"]]]

    private static let lagHeader: JSONValue = [
        "X-Replica-Lag": [
            "description": "Seconds that the server which was read is behind the primary, at most; 0.000: the primary",
            "schema": ["type": "number"],
        ]
    ]

    private static func content(
        _ schemas: [(String, JSONSchema)], example: JSONValue? = nil
    ) -> (String, JSONValue) {
        let types = schemas.map { type, schema in
            (type, JSONValue.object([("schema", schema.value)] + (example.map { [("example", $0)] } ?? [])))
        }
        return ("content", .object(types))
    }
}
