import FoundationEssentials
import MillraceEvent
import MillracePostgres
import MillraceTestSupport

/// A daemon with events and saves of some months that are over.
struct RetiredMonths {
    /// What `partitions retire`, `archive` and `restore` report.
    struct Report: Decodable {
        struct Month: Decodable, Equatable {
            var table: String
            var month: String
            var state: String
            var rows: Int?
            var archive: String?
            var error: String?
        }
        var months: [Month]
    }

    /// What an archive's manifest says, as far as the tests look.
    struct Manifest: Decodable {
        struct Part: Decodable {
            var file: String
            var rows: Int
            var sha256: String
        }
        struct Row: Decodable {
            var createdAt: String
            var id: String
        }
        var rows: Int
        var first: Row?
        var last: Row?
        var parts: [Part]
        var schema: Int
    }

    let mishap: Mishap
    /// Oldest first: those before the last one.
    let months: [PartitionMonth]

    var daemon: DaemonProcess { mishap.daemon }
    var auditor: Auditor { mishap.auditor }
    private let scratch: ScratchDirectory
    var archive: String { scratch.path }

    /// `cluster`: nil for the one that nobody stops.
    init(
        _ name: String = #function, months count: Int = 1, cluster: TestCluster? = nil, settings: [String: String] = [:]
    ) throws {
        scratch = try ScratchDirectory()
        mishap = try Mishap(
            name, cluster: cluster,
            settings: [
                "archive.directory": "\"\(scratch.path)\"",
                "partitions.quiet_hours": "\"00:00-24:00\"", "archive.part_bytes": "\"64KiB\"",
                "partitions.detach_wait": "\"20s\"",
            ].merging(settings) { $1 })
        months = try (1...count).reversed().map { try Mishap.month(-1 - $0) }
    }

    /// Events and saves, in the tables when this returns if they are to be awaited.
    func fill(_ rows: Int, saves: Int = 5, from first: Int = 0, isAwaited: Bool = true) throws {
        for month in months {
            let events = (first..<first + rows).map { Self.event($0, in: month) }
            let saves = (0..<saves).map { Self.save($0, in: month) }
            guard try mishap.post(events + saves, isAwaited: isAwaited).status == (isAwaited ? 200 : 202) else {
                throw TestSupportError(message: "the months are not filled")
            }
        }
    }

    /// `number` is in the payload, and tells the time.
    static func event(_ number: Int, in month: PartitionMonth, type: String = "past") -> String {
        """
        {"event_type":"\(type)","created_at":\(month.lowerMicroseconds / 1000 + Int64(number % 100_000_000) * 2),\
        "id":"\(UniqueID.random())","user_id":"0196a1b2-0000-7000-8000-00000000000\(number % 10)",\
        "payload":{"n":\(number),"amount":12.25,"text":"ä\\"\\\\ \\n☃ \(number)"}}
        """
    }

    static func save(_ number: Int, in month: PartitionMonth) -> String {
        """
        {"conversation_id":"c\(number)","question":"why\\n\\"\(number)\\"?","response":"because\\t\\\\",\
        "user_id":"0196a1b2-0000-7000-8000-000000000001","timestamp":"\(month.label)-03T00:00:0\(number % 10)Z"}
        """
    }

    func run(
        _ command: String..., months: [PartitionMonth]? = nil, options: [String] = [],
        within limit: Duration = .seconds(120)
    ) throws -> Report {
        let run = try daemon.run(
            ["partitions"] + command + (months ?? self.months).map(\.label) + options + ["--json"], within: limit)
        let report = try run.report(Report.self)
        guard run.isSuccess else { throw TestSupportError(message: "\(command): \(report)\n\(run.errors)") }
        return report
    }

    /// What a command reports that does not reach its goal.
    func fail(_ command: String, options: [String] = []) throws -> Report {
        let run = try daemon.run(["partitions", command] + months.map(\.label) + options + ["--json"])
        let report = try run.report(Report.self)
        guard run.exit == .status(1) else { throw TestSupportError(message: "\(command) did not fail: \(report)") }
        return report
    }

    /// A command that runs beside the test; what it says goes to `output`.
    func start(_ command: String, options: [String] = [], output: String) throws -> SpawnedProcess {
        try SpawnedProcess(
            MillraceBinary.path,
            ["partitions", command] + months.map(\.label) + options + ["--config", daemon.configuration],
            mark: daemon.configuration, output: output, errors: output)
    }

    func manifest(_ table: PartitionedTable, _ month: PartitionMonth) throws -> Manifest {
        try CommandRun.decode(Manifest.self, from: TextFile.read(path(table, month) + "/manifest.json"))
    }

    func path(_ table: PartitionedTable, _ month: PartitionMonth) -> String {
        "\(archive)/\(table.rawValue)/year=\(month.label.prefix(4))/month=\(month.label.suffix(2))"
    }

    /// A `partitions.retain` that keeps the second month and not the first.
    var ageBetween: String { "\((Timestamp.now.microseconds - months[1].lowerMicroseconds) / 86_400_000_000)d" }

    /// A hash over all rows of both tables, through their parents.
    func contents() throws -> [String] {
        try PartitionedTable.allCases.flatMap { table in
            try auditor.strings(
                "SELECT count(*) || ' ' || COALESCE(sum(hashtext(row::text)::bigint), 0) FROM public.\(table.rawValue) AS row"
            )
        }
    }

    /// Counts of events by hour and type.
    func projections(of type: String = "past") throws -> [String] {
        try auditor.strings(
            """
            SELECT bucket || ' ' || event_type || ' ' || sum(n)
            FROM projections.analytics_events_by_hour
            WHERE event_type = '\(type)'
            GROUP BY bucket, event_type
            ORDER BY 1
            """)
    }

    func state(_ table: PartitionedTable, _ month: PartitionMonth) throws -> String? {
        try auditor.strings(
            "SELECT state FROM public.partition_months WHERE relation = '\(table.partitionName(month))'"
        ).first
    }
}
