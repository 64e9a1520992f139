internal import FoundationEssentials
internal import HTTPTypes
internal import MillraceEvent
internal import MillraceRoutes
internal import MillraceTOML

/// A request's parameters, each known to its operation and of its kind.
struct RequestParameters: Sendable {
    /// The parameter, and the column, that tells whose a row is.
    static let userName = "user_id"

    private let operation: APIOperation
    private let path: [String: String]
    private let values: [String: String]
    private let cursorKey: CursorKey
    let caller: Caller
    /// What the operation does not know itself: columns, where it takes some. In the order of the names.
    let filters: [ColumnFilter]

    /// Throws `APIProblem`, which names the parameter. `path`: the request's, without the query. A caller that reads
    /// its own rows gets parameters that lead to no others.
    init(
        _ operation: APIOperation, path requested: String, query: String?, of caller: Caller,
        cursorKey: CursorKey
    ) throws(APIProblem) {
        if caller.readsOnlyOf != nil, operation.ownRows == .none { throw RequestAccess.notOwn }
        self.operation = operation
        self.caller = caller
        self.cursorKey = cursorKey
        var path: [String: String] = [:]
        for (name, value) in operation.route.match(requested) ?? [] {
            path[name] = try RequestQuery.decoded(value, plusIsBlank: false)
        }
        self.path = path
        var values: [String: String] = [:]
        var filters: [ColumnFilter] = []
        for pair in try RequestQuery(query).pairs {
            let parameter = operation.parameters.first { $0.name == pair.column }
            if let parameter, pair.comparison == .equal {
                try Self.check(pair.value, parameter)
                values[parameter.name] = pair.value
            } else if operation.takesColumns {
                filters.append(pair)
            } else if parameter != nil {
                throw Self.invalid(pair.column, "given by =, for it is no column")
            } else {
                throw Self.unknown(pair.column, known: operation.parameters.map(\.name))
            }
        }
        if let user = caller.readsOnlyOf {
            try Self.restrict(&values, &filters, to: user, by: operation.ownRows)
        }
        for parameter in operation.parameters where parameter.isRequired && values[parameter.name] == nil {
            throw APIProblem(.badRequest, "missing_parameter", "\(parameter.name) is wanted: \(parameter.doc)")
        }
        self.values = values
        self.filters = filters.sorted { $0.text < $1.text }
    }

    private static func restrict(
        _ values: inout [String: String], _ filters: inout [ColumnFilter], to user: UniqueID,
        by rows: APIOperation.OwnRows
    ) throws(APIProblem) {
        let asked =
            [values[userName]] + filters.filter { $0.column == userName && $0.comparison == .equal }.map(\.value)
        for other in asked.compactMap(\.self) where UniqueID(other) != user { throw wrongUser("user_id") }
        switch rows {
        case .none: throw RequestAccess.notOwn
        case .parameter: values[userName] = "\(user)"
        case .column:
            filters.removeAll { $0.column == userName && $0.comparison == .equal }
            filters.append(ColumnFilter(column: userName, comparison: .equal, value: "\(user)"))
        }
    }

    private static func wrongUser(_ name: String) -> APIProblem {
        APIProblem(
            .forbidden, "wrong_user",
            "\(name) is not of the token's sub, and without the scope of jwt.read_scope it reads its own rows alone"
        )
    }

    static func unknown(_ name: String, known: [String]) -> APIProblem {
        let hint =
            EditDistance.nearest(to: String(name.prefix(100)), among: known, by: { $0 }).map {
                "; did you mean \($0)? There are \(known.joined(separator: ", "))"
            }
            ?? "; this route takes none"
        return APIProblem(.badRequest, "unknown_parameter", "\(name.prefix(100)) is no parameter of this route\(hint)")
    }

    static func invalid(_ name: String, _ wanted: String) -> APIProblem {
        APIProblem(.badRequest, "invalid_value", "\(name) must be \(wanted)")
    }

    static func invalidTime(_ name: String, _ value: String) -> APIProblem {
        let hint = value.contains(" ") ? "; write + as %2B" : ""
        return invalid(
            name, "a time with its offset (2026-11-21T10:00:00Z), a date, or milliseconds since 1970" + hint)
    }

    /// The rows are to be those of the caller alone; `filters` say so, where `user_id` is a column.
    var isOfOwn: Bool { caller.readsOnlyOf != nil }

    /// Whose rows are read.
    var tenant: Int32 { caller.tenant }

    /// A part of the path.
    func path(_ name: String) -> String { path[name] ?? "" }

    func text(_ name: String) -> String? { values[name] }

    func time(_ name: String) -> Timestamp? { values[name].flatMap { TimeText.parse($0) } }

    func integer(_ name: String, default fallback: Int) -> Int { values[name].flatMap { Int($0) } ?? fallback }

    /// Items before the page. Throws `APIProblem` where there are more than `max`, or a cursor says it.
    func offset(max: Int) throws(APIProblem) -> Int {
        let offset = integer("offset", default: 0)
        guard values["offset"] == nil || values["cursor"] == nil else {
            throw Self.invalid("offset", "left out with cursor, which stands after the items before")
        }
        guard offset <= max else {
            throw Self.invalid("offset", "at most \(max) (api.offset_max); cursor goes as far as there are items")
        }
        return offset
    }

    func names(_ name: String) -> [String]? {
        values[name].map { $0.split(separator: ",").map(String.init) }
    }

    /// Of the page before this one; nil on the first. `count`: how many values the route's cursors have.
    func cursor(count: Int) throws(APIProblem) -> [String?]? {
        guard let text = values["cursor"] else { return nil }
        guard let cursor = PageCursor(text, question: question), cursor.values.count == count else {
            if isOfOwn { throw Self.wrongUser("cursor") }
            throw APIProblem(
                .badRequest, "invalid_cursor",
                "cursor is not one that this daemon gave for this question: repeat the request that gave it, only limit may "
                    + "change; daemons that share a name need the same api.cursor_key")
        }
        return cursor.values
    }

    /// What is asked, and of which tenant's rows, without the place and size of the page.
    var question: PageCursor.Question {
        let places: Set = ["cursor", "limit", "offset", "after"]
        let asked = values.filter { !places.contains($0.key) }.map { "\($0.key)=\($0.value)" }
        let all =
            asked.sorted() + path.map { "\($0.key):\($0.value)" }.sorted() + filters.map(\.text)
        return PageCursor.Question(
            text: ([operation.route.path, "tenant \(tenant)"] + all).joined(separator: "\u{0}"), key: cursorKey)
    }

    private static func check(_ value: String, _ parameter: APIParameter) throws(APIProblem) {
        let name = parameter.name
        switch parameter.kind {
        case .text(let bytesMax):
            guard (1...bytesMax).contains(value.utf8.count) else { throw invalid(name, "1 to \(bytesMax) bytes") }
        case .uuid:
            guard UniqueID(value) == nil else { return }
            let hint = value.contains("@") ? "; this is an e-mail, and users are known by their UUID" : ""
            throw invalid(name, "a UUID, such as 843d440a-a7a7-45ee-96df-3568c37384b9" + hint)
        case .time:
            guard TimeText.parse(value) == nil else { return }
            throw invalidTime(name, value)
        case .integer(let range):
            guard value.allSatisfy({ $0.isASCII && $0.isNumber }), let number = Int(value), range.contains(number)
            else {
                throw invalid(name, "a whole number from \(range.lowerBound) to \(range.upperBound)")
            }
        case .choice(let choices):
            guard choices.contains(value) else { throw invalid(name, "one of \(choices.joined(separator: ", "))") }
        case .object:
            guard value.utf8.count <= 65_536, value.drop(while: \.isWhitespace).first == "{" else {
                throw invalid(name, "a JSON object of at most 65536 bytes")
            }
        case .cursor, .names, .anything, .position: break
        }
    }
}
