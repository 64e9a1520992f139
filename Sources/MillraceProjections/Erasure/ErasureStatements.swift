import MillraceEvent
import MillracePostgres

/// Conditions by which rows are found that an erasure concerns: SQL without parameters, so that they go anywhere. Ids and
/// patterns are hexadecimal digits, keys are quoted.
struct ErasureStatements {
    let scope: ErasureScope
    let tenant: Int32

    private var users: [ErasedUser] { scope.users.filter { $0.tenant == tenant } }

    /// `uuid[]`.
    var ids: String { "'{\(users.map { "\($0.id)" }.joined(separator: ","))}'::uuid[]" }

    /// A regular expression of the ids with hyphens and without, to be matched without regard to case.
    var pattern: String {
        // Of a tenant without any, a text that nothing is.
        let texts = users.isEmpty ? ["$^."] : users.map { "\($0.id)" }
        return Self.quoted((texts + texts.map { $0.replacing("-", with: "") }).joined(separator: "|"))
    }

    /// Whether a row `stored` of the events is concerned; `document`: its payload.
    func isConcerned(document: String) -> String {
        var conditions = [
            "stored.user_id = ANY (\(ids))", "stored.id = ANY (\(ids))", "\(document)::text ~* \(pattern)",
            "stored.event_type ~* \(pattern)",
        ]
        for owned in scope.folds {
            let keyFold = owned.key == nil ? owned.parent?.name : owned.name
            guard let keyFold, let path = owned.key?.path ?? owned.parent?.path,
                let keys = scope.keys[keyFold]?[tenant], !keys.isEmpty
            else { continue }
            let key = "(\(document) #>> \(Self.array(path)))"
            // As a key of type uuid they may be written in capitals.
            let uuids = keys.filter { UniqueID($0) != nil }
            let isUUID = uuids.isEmpty ? "" : " OR lower(\(key)) = ANY (\(Self.array(uuids.sorted())))"
            conditions.append(
                "(\(Self.condition(owned.types)) AND (\(key) = ANY (\(Self.array(keys.sorted())))\(isUUID)))")
        }
        return "stored.tenant_id = \(tenant) AND (\(conditions.joined(separator: "\n    OR ")))"
    }

    /// Whether a row `stored` of the conversations that is another user's names one of these.
    var isNamedInSave: String {
        let texts = ["conversation_id", "question", "response", "source"].map { "stored.\($0) ~* \(pattern)" }
        return """
            stored.tenant_id = \(tenant) AND (
                stored.id = ANY (\(ids)) OR stored.metadata::text ~* \(pattern) OR \(texts.joined(separator: " OR "))
            )
            """
    }

    static func condition(_ types: [EventTypePattern]) -> String {
        let conditions = Set(types).map { pattern in
            switch pattern {
            case .any: "true"
            case .prefix(let prefix): "starts_with(stored.event_type, \(quoted(prefix)))"
            case .exactly(let type): "stored.event_type = \(quoted(type))"
            }
        }
        return "(\(conditions.sorted().joined(separator: " OR ")))"
    }

    /// `expression`, a text, with pseudonyms in the place of ids.
    func renamed(_ expression: String) -> String {
        users.reduce(expression) { text, user in
            let (id, pseudonym) = ("\(user.id)", "\(user.pseudonym)")
            let (digits, others) = (id.replacing("-", with: ""), pseudonym.replacing("-", with: ""))
            return
                "regexp_replace(regexp_replace(\(text), '\(id)', '\(pseudonym)', 'gi'), '\(digits)', '\(others)', 'gi')"
        }
    }

    /// `expression`, a uuid, with a pseudonym in the place of an id.
    func renamed(uuid expression: String) -> String {
        let cases = users.map { "WHEN '\($0.id)' THEN '\($0.pseudonym)'::uuid" }.joined(separator: " ")
        guard !cases.isEmpty else { return expression }
        return "CASE \(expression) \(cases) ELSE \(expression) END"
    }

    /// `text[]`.
    static func array(_ texts: [String]) -> String { "\(quoted(PostgresParameter.literal(of: texts)))::text[]" }

    static func quoted(_ text: String) -> String {
        let quoted = "'\(text.replacing("'", with: "''"))'"
        return text.contains("\\") ? " E" + quoted.replacing("\\", with: "\\\\") : quoted
    }
}
