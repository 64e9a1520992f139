internal import HTTPTypes
internal import MillracePostgres

/// A statement that grows by clauses. Values are always parameters, cast to the type that the catalog says; names come
/// from the definition and the catalog only.
struct SQLStatement: Sendable {
    struct Argument: Sendable {
        /// The request's parameter.
        var name: String
        var value: String?
        var type: String
    }

    var text: String
    private(set) var arguments: [Argument] = []

    init(_ text: String = "") {
        self.text = text
    }

    mutating func append(_ more: String) {
        text += " " + more
    }

    /// The value's place in the statement. `named`: the request's parameter that it came from.
    mutating func bind(_ value: String?, as type: String, named name: String) -> String {
        arguments.append(Argument(name: name, value: value, type: type))
        return "$\(arguments.count)::\(type)"
    }

    /// `"` around the name, doubled within.
    static func quoted(_ name: String) -> String {
        "\"" + name.replacing("\"", with: "\"\"") + "\""
    }

    private var parameters: [PostgresParameter?] { arguments.map { $0.value.map { .text($0) } } }

    /// Blocks. Throws `PostgresError`; `APIProblem` when a value of the request does not fit its type.
    func run(on connection: PostgresConnection) throws -> PostgresResult {
        do throws(PostgresError) {
            return try connection.query(text, parameters: parameters)
        } catch {
            throw try problem(of: error, on: connection) ?? error
        }
    }

    /// The same, row by row as they come; `onRow` gets a result with one row, and returns whether more are wanted.
    func run(on connection: PostgresConnection, _ onRow: (borrowing PostgresResult) throws -> Bool) throws {
        do {
            try connection.rows(text, parameters: parameters, onRow)
        } catch let error as PostgresError {
            throw try problem(of: error, on: connection) ?? error
        }
    }

    /// Where the request is at fault.
    private func problem(of error: PostgresError, on connection: PostgresConnection) throws(PostgresError)
        -> APIProblem?
    {
        // Only a request's comparisons can be of types that have none.
        if error.sqlState == SQLState(rawValue: "42883") {
            return APIProblem(.badRequest, "invalid_value", "a column can't be compared like this: \(error.message)")
        }
        return error.sqlState?.category == "22" ? try misfit(on: connection) : nil
    }

    /// The first value that PostgreSQL does not take as its type.
    private func misfit(on connection: PostgresConnection) throws(PostgresError) -> APIProblem? {
        for argument in arguments {
            guard let value = argument.value else { continue }
            do throws(PostgresError) {
                _ = try connection.query("SELECT $1::\(argument.type)", parameters: [.text(value)])
            } catch {
                guard error.sqlState?.category == "22" else { throw error }
                return APIProblem(
                    .badRequest, "invalid_value",
                    "\(argument.name) is not a value of type \(argument.type): \(error.message)")
            }
        }
        return nil
    }
}
