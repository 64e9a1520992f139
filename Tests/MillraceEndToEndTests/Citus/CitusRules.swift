import MillracePostgres

/// What Citus takes of statements on distributed tables, as far as it can be told from their text: each rule is a reason why
/// 13.2 refuses a statement, or does another thing than PostgreSQL would.
struct CitusRules {
    enum Rule: String, CaseIterable {
        /// A row's place on one worker means nothing on another.
        case systemColumn = "ctid, xmin or tableoid of a distributed table"
        case rowLock = "FOR UPDATE or FOR SHARE on a distributed table"
        case trigger = "a trigger, rule or foreign key on a distributed table"
        case policy = "a policy with a subquery on a distributed table"
        case detach = "DETACH CONCURRENTLY or FINALIZE of a distributed month"
        case conflict = "ON CONFLICT without the distribution column, or DO UPDATE"
        case distributionColumn = "SET of the distribution column"
        case localJoin = "a join of a distributed table with one of the coordinator"
        case correlation =
            "a subquery that refers to the row around it, between a distributed table and one of the coordinator"
        case localFunction = "a function that reads the coordinator's tables, on rows of a distributed table"
        case volatileReturning = "RETURNING of what is not immutable from a distributed table"
        case severalStatements =
            "CREATE INDEX or DROP INDEX on a distributed table with other statements in one message"
        case keyFromIndex = "a constraint of a distributed table by USING INDEX"
        case lateral = "a subquery with LATERAL in an expression on distributed rows, which crashes Citus"
        case namelessRow = "a subquery's row as one value, whose members Citus calls f1, f2"
        case shell = "upkeep of a coordinator's empty shell"
    }

    struct Violation: Equatable {
        var rule: Rule
        var statement: String
    }

    private static let columns = Set(["id"])
    /// They read `conversation_statuses`, or the session's settings.
    private static let localFunctions = ["public.conversation_status("]
    private static let mutable = ["now()", "clock_timestamp()", "extract(", "to_char(", "gen_random_uuid()"]

    /// Rules that `message`, what a client sent at once, breaks.
    static func check(_ message: String) -> [Violation] {
        let bare = SQLText.bare(message)
        let statements = bare.split(separator: ";").map(String.init).filter { !$0.allSatisfy(\.isWhitespace) }
        var broken: Set<Rule> = []
        if bare.contains("gin_clean_pending_list(") || bare.contains("brin_summarize_new_values(") {
            broken.insert(.shell)
        }
        for statement in statements where !SQLText.distributed(in: statement).isEmpty {
            broken.formUnion(check(statement: statement))
            let isOfIndex = statement.contains(#/\b(create|drop) (unique )?index\b/#)
            if isOfIndex, statements.count > 1 { broken.insert(.severalStatements) }
        }
        return Rule.allCases.filter(broken.contains).map { Violation(rule: $0, statement: message) }
    }

    private static func check(statement: String) -> Set<Rule> {
        var broken: Set<Rule> = []
        if statement.contains(
            #/\b(create|enable|disable) (constraint )?trigger\b|\bcreate (or replace )?rule\b|\bforeign key\b|\breferences\b/#
        ) {
            broken.insert(.trigger)
        }
        if statement.contains(#/\bcreate policy\b.*\(\s*select\b/#.dotMatchesNewlines()) { broken.insert(.policy) }
        if statement.contains(#/\bdetach partition\b.*\b(concurrently|finalize)\b/#.dotMatchesNewlines()) {
            broken.insert(.detach)
        }
        if statement.contains(#/\badd constraint\b.*\busing index\b/#.dotMatchesNewlines()) {
            broken.insert(.keyFromIndex)
        }
        for scope in SQLScope(statement).all { broken.formUnion(check(scope)) }
        return broken
    }

    private static func check(_ scope: SQLScope) -> Set<Rule> {
        var broken: Set<Rule> = []
        let text = scope.own
        let joined = scope.relations.filter { !$0.isFilled }
        guard scope.relations.contains(where: \.isDistributed) else {
            // Rows of the coordinator, of which each asks a distributed table.
            for child in scope.children where child.isInExpression {
                let isDistributed = child.all.contains { $0.relations.contains(where: \.isDistributed) }
                if isDistributed, child.refers(to: scope.relations.map(\.alias)) { broken.insert(.correlation) }
            }
            let isFed = scope.children.contains {
                !$0.isInExpression && $0.relations.contains(where: \.isDistributed)
            }
            if isFed, let row = text.firstMatch(of: #/\b(row_to_json|to_jsonb?)\(\s*(\w+)\s*\)/#),
                text.contains("() as \(row.2)")
            {
                broken.insert(.namelessRow)
            }
            return broken
        }
        if text.contains(#/\b(ctid|xmin|tableoid)\b/#) { broken.insert(.systemColumn) }
        if text.contains(#/\bfor (no key )?(update|share)\b/#) { broken.insert(.rowLock) }
        if joined.contains(where: \.isDistributed), joined.contains(where: { !$0.isDistributed }) {
            broken.insert(.localJoin)
        }
        if localFunctions.contains(where: text.contains) { broken.insert(.localFunction) }
        let aliases = scope.relations.filter(\.isDistributed).map(\.alias)
        for child in scope.children where child.isInExpression {
            let isLocal = child.all.contains { $0.relations.contains { !$0.isDistributed } }
            if isLocal, child.refers(to: aliases) { broken.insert(.correlation) }
            if child.all.contains(where: { $0.own.contains(#/\blateral\b/#) }) { broken.insert(.lateral) }
        }
        if let target = scope.relations.first(where: \.isTarget), target.isDistributed {
            if let conflict = text.firstMatch(of: #/\bon conflict\s*\(([^)]*)\)\s*do (\w+)/#) {
                let columns = Set(conflict.1.split(separator: ",").map { $0.filter { !$0.isWhitespace } })
                if !columns.isSuperset(of: Self.columns) || conflict.2 != "nothing" { broken.insert(.conflict) }
            } else if text.contains("on conflict") {
                broken.insert(.conflict)
            }
            if let set = text.firstMatch(of: #/\bset\b(.*?)(\bfrom\b|\bwhere\b|\breturning\b|$)/#.dotMatchesNewlines()),
                scope.isUpdate, set.1.contains(#/(^|,)\s*id\s*=/#)
            {
                broken.insert(.distributionColumn)
            }
            if let returning = text.firstRange(of: "returning") {
                let answer = text[returning.upperBound...]
                if mutable.contains(where: answer.contains) { broken.insert(.volatileReturning) }
            }
        }
        return broken
    }
}
