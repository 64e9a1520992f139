internal import Glibc
internal import MillraceConsole
internal import MillraceEvent
internal import MillracePostgres

/// Counts the rows of a run: by time and id, which is the order of the primary key.
struct TableCheck {
    private static let statementTimeout = Duration.seconds(600)
    private static let pauseMin = Duration.milliseconds(50)
    private static let pauseMax = Duration.seconds(2)

    private let connection: PostgresConnection
    private let runID: RunID

    /// Throws when the database in use can't be asked, or isn't Millrace's.
    init(_ context: CommandContext, runID: RunID) throws {
        do {
            connection = try context.connect()
        } catch let error as PostgresError {
            throw CommandError(
                "the database that is to be checked at the end was not reached: \(error.message)",
                hint: "Set database.url to the daemon's, or give --no-verify")
        }
        self.runID = runID
        guard try connection.hasRelation("public.analytics_events") else {
            throw CommandError(
                "the database in use has no table analytics_events",
                hint: "Set database.url to the daemon's, run `millrace migrate up`, or give --no-verify")
        }
    }

    /// Rows of `numbers`; `times`: all their `created_at`, microseconds since 1970.
    func count(_ numbers: Range<UInt64>, times: ClosedRange<Int64>) throws(PostgresError) -> Int {
        guard !numbers.isEmpty else { return 0 }
        let answer = try connection.query(
            """
            SELECT count(*)
            FROM public.analytics_events
            WHERE created_at BETWEEN $1::timestamptz AND $2::timestamptz
              AND id BETWEEN $3::uuid AND $4::uuid
            """,
            parameters: [
                Self.time(times.lowerBound), Self.time(times.upperBound), .text("\(runID.id(numbers.lowerBound))"),
                .text("\(runID.id(numbers.upperBound - 1))"),
            ], timeout: Self.statementTimeout)
        return answer.count(0, 0)
    }

    /// Counts until `expected` rows are there, or none came for `patience`. Blocks.
    func wait(
        for expected: Int, _ numbers: Range<UInt64>, times: ClosedRange<Int64>, patience: Duration,
        _ progress: (_ found: Int) -> Void
    ) throws(PostgresError) -> Int {
        var found = -1
        var risenAt = ContinuousClock.now
        var pause = Self.pauseMin
        while true {
            let count = try count(numbers, times: times)
            if count > found { risenAt = .now }
            found = count
            guard found < expected, ContinuousClock.now - risenAt < patience else { return found }
            progress(found)
            poll(nil, 0, pause.milliseconds)
            pause = min(pause * 2, Self.pauseMax)
        }
    }

    private static func time(_ microseconds: Int64) -> PostgresParameter {
        .text(String(decoding: EventClock(at: Timestamp(microseconds: microseconds)).text, as: UTF8.self))
    }
}
