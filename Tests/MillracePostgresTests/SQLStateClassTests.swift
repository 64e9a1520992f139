import MillracePostgres
import Testing

struct SQLStateClassTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var state: String
        var wanted: SQLStateClass
        var message = "something"
        var constraint: String?
        var testDescription: String { "\(state) \(message) is \(wanted.rawValue)" }
    }

    static let cases: [Case] = [
        Case(state: "08006", wanted: .retry), Case(state: "08P01", wanted: .retry),
        Case(state: "40001", wanted: .retry), Case(state: "40P01", wanted: .retry),
        Case(state: "53100", wanted: .retry), Case(state: "53300", wanted: .retry),
        Case(state: "55P03", wanted: .retry), Case(state: "57014", wanted: .retry),
        Case(state: "57P01", wanted: .retry), Case(state: "57P02", wanted: .retry),
        Case(state: "57P03", wanted: .retry), Case(state: "25006", wanted: .retry),
        Case(state: "22P02", wanted: .poison), Case(state: "22003", wanted: .poison),
        Case(state: "22021", wanted: .poison), Case(state: "23502", wanted: .poison),
        Case(state: "23503", wanted: .poison), Case(state: "23514", wanted: .poison, constraint: "positive"),
        Case(state: "54000", wanted: .poison),
        Case(state: "23514", wanted: .missingPartition, message: "no partition of relation \"x\" found for row"),
        Case(
            state: "42P01", wanted: .missingPartition,
            message: "relation \"public.analytics_events_y2026m11\" does not exist"),
        Case(state: "23505", wanted: .duplicate, constraint: "analytics_events_y2026m11_pkey"),
        Case(
            state: "XX000", wanted: .duplicate,
            message: "duplicate key value violates unique constraint \"analytics_events_y2026m11_pkey_102010\""),
        Case(state: "28P01", wanted: .stop), Case(state: "28000", wanted: .stop), Case(state: "3D000", wanted: .stop),
        Case(state: "42501", wanted: .stop), Case(state: "42703", wanted: .stop),
        Case(state: "42P01", wanted: .stop, message: "relation \"public.ingest_batches\" does not exist"),
        Case(state: "XX000", wanted: .retryWithAlarm), Case(state: "XX001", wanted: .retryWithAlarm),
        Case(state: "58030", wanted: .retryWithAlarm), Case(state: "0A000", wanted: .poison),
        Case(state: "44000", wanted: .poison), Case(state: "P0001", wanted: .poison),
        Case(state: "25P02", wanted: .retryWithAlarm),
    ]

    @Test(arguments: cases) func `each SQLSTATE has its one class`(_ row: Case) {
        let error = PostgresError(
            code: .serverError, sqlState: SQLState(rawValue: row.state), message: row.message,
            constraint: row.constraint)
        #expect(error.category == row.wanted)
        #expect(error.isRetryable == (row.wanted == .retry || row.wanted == .retryWithAlarm))
        #expect(!error.hint.isEmpty)
    }

    @Test(arguments: [
        (PostgresError.Code.connectionFailed, String?.none, SQLStateClass.retry),
        (.connectionFailed, "57P03", .retry), (.connectionFailed, "53300", .retry), (.connectionFailed, "28P01", .stop),
        (.connectionFailed, "3D000", .stop), (.timedOut, nil, .retry), (.interrupted, nil, .retry),
    ])
    func `a wait that ended without the server is tried again, a refusal is not`(
        code: PostgresError.Code, state: String?, wanted: SQLStateClass
    ) {
        let error = PostgresError(code: code, sqlState: state.map(SQLState.init(rawValue:)), message: "something")
        #expect(error.category == wanted)
    }

    @Test func `a description names the constraint and the next step but no value of a row`() {
        let error = PostgresError(
            code: .serverError, sqlState: .uniqueViolation, message: "duplicate key value", constraint: "the_key",
            detail: "Key (email)=(ann@example.org) already exists.")
        #expect(error.description.contains("23505"))
        #expect(error.description.contains("the_key"))
        #expect(!error.description.contains("example.org"))
    }
}
