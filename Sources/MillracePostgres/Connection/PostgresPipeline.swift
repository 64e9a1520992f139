internal import CLibPQ

/// Statements that follow each other to the server without waiting for the answers of those before: one wait for all.
///
/// The server parses and plans a statement once a session, and knows it again by its text. When one fails, it skips those
/// after it. Between the first `send` and the end of `finish` the connection is the pipeline's alone.
package struct PostgresPipeline: ~Copyable {
    /// What answers are expected of the server, in order.
    private enum Step {
        /// The text is prepared under this name once the server says so.
        case preparation(text: String, name: String)
        case statement(number: Int)
    }

    /// Larger statements are sent before the next one is made.
    private static let bytesHeldMax = 16384

    private let connection: PostgresConnection
    private var steps: [Step] = []
    private var statementCount = 0
    /// The number of the statement that failed in the last `finish`.
    package private(set) var failedStatement: Int?
    /// Names of this pipeline's own preparations, which are not known to have succeeded.
    private var preparing: [String: String] = [:]

    package init(_ connection: PostgresConnection) {
        self.connection = connection
    }

    /// Sends one statement with values for its `$1`, `$2` …; nil is NULL. Blocks only while a large one is sent.
    ///
    /// - Returns: the statement's number, from 0 since the last `finish`.
    /// - Throws: only when the session is lost, timed out or interrupted.
    @discardableResult
    package mutating func send(
        _ sql: String, parameters: [PostgresParameter?] = [], answersBinary: Bool = false
    ) throws(PostgresError) -> Int {
        let bound = BoundParameters(parameters)
        let isFirst = steps.isEmpty
        let known = connection.prepared.name(of: sql) ?? preparing[sql]
        let name = known ?? connection.prepared.newName()
        try connection.exchange { (handle) throws(PostgresError) in
            if isFirst, PQenterPipelineMode(handle) != 1 { throw .lost(handle) }
            if known == nil, PQsendPrepare(handle, name, sql, bound.count, bound.types) != 1 { throw .lost(handle) }
            let sent = bound.withPointers { values, lengths, formats in
                PQsendQueryPrepared(handle, name, bound.count, values, lengths, formats, answersBinary ? 1 : 0)
            }
            guard sent == 1 else { throw .lost(handle) }
            // Else libpq would keep all of it, and never give the memory back.
            if bound.byteCount > Self.bytesHeldMax {
                try connection.flush(handle, deadline: Deadline(after: connection.statementTimeout))
            }
        }
        if known == nil {
            preparing[sql] = name
            steps.append(.preparation(text: sql, name: name))
        }
        steps.append(.statement(number: statementCount))
        statementCount += 1
        return statementCount - 1
    }

    /// Waits until the server has done all that was sent; `onAnswer` gets each statement's result. Blocks up to the
    /// connection's limit for a statement.
    ///
    /// - Throws: the first error; `onAnswer` has then seen the answers of the statements before it.
    package mutating func finish(
        _ onAnswer: (_ number: Int, _ result: borrowing PostgresResult) -> Void = { _, _ in }
    ) throws(PostgresError) {
        let steps = steps
        self.steps = []
        statementCount = 0
        preparing = [:]
        guard !steps.isEmpty else { return }
        let connection = connection
        var failure: PostgresError?
        var failed: Int?
        defer { failedStatement = failed }
        try connection.exchange { (handle) throws(PostgresError) in
            let deadline = Deadline(after: connection.statementTimeout)
            guard PQpipelineSync(handle) == 1 else { throw .lost(handle) }
            for step in steps {
                let error = try Self.answer(to: step, connection, handle, deadline: deadline, onAnswer)
                if failure == nil, error != nil, case .statement(let number) = step { failed = number }
                failure = failure ?? error
            }
            try Self.endPipeline(handle, connection, deadline: deadline)
        }
        if let failure { throw failure }
    }

    /// Reads what the server says to one step. Returns its error, nil also when it was skipped.
    private static func answer(
        to step: Step, _ connection: PostgresConnection, _ handle: OpaquePointer, deadline: Deadline,
        _ onAnswer: (Int, borrowing PostgresResult) -> Void
    ) throws(PostgresError) -> PostgresError? {
        var failure: PostgresError?
        // nil ends a step.
        while let pointer = try connection.nextResult(handle, deadline: deadline) {
            let result = PostgresResult(owning: pointer)
            switch PQresultStatus(pointer) {
            case PGRES_COMMAND_OK, PGRES_TUPLES_OK:
                switch step {
                case .preparation(let text, let name): connection.prepared.add(text, name: name)
                case .statement(let number): onAnswer(number, result)
                }
            case PGRES_PIPELINE_ABORTED: break
            default:
                let error = PostgresError(result: pointer, connection: handle)
                // The session is gone: nothing more will come.
                if PostgresError.endsSession(pointer) {
                    connection.close()
                    throw error
                }
                failure = error
            }
        }
        return failure
    }

    private static func endPipeline(
        _ handle: OpaquePointer, _ connection: PostgresConnection, deadline: Deadline
    ) throws(PostgresError) {
        guard let end = try connection.nextResult(handle, deadline: deadline) else { throw .lost(handle) }
        let status = PQresultStatus(end)
        PQclear(end)
        guard status == PGRES_PIPELINE_SYNC, PQexitPipelineMode(handle) == 1 else { throw .lost(handle) }
    }
}

/// Statements that a session has prepared: name by text.
struct PreparedStatements {
    /// Beyond this many, the names are forgotten, and the texts are prepared again under new ones; the server keeps the old until the
    /// session ends. A session of Millrace sends a few dozen texts, and others only when versions of packs change.
    private static let countMax = 256

    private var names: [String: String] = [:]
    private var nameCount = 0

    func name(of text: String) -> String? { names[text] }

    /// A name that the session has not used yet.
    mutating func newName() -> String {
        nameCount += 1
        return "millrace_\(nameCount)"
    }

    mutating func add(_ text: String, name: String) {
        if names.count == Self.countMax { names = [:] }
        names[text] = name
    }
}
