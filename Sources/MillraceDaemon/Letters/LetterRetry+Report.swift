package import MillraceAPI
internal import Logging
internal import MillraceConfiguration
internal import MillraceEvent
internal import MillracePostgres
internal import MillraceProjections
internal import MillraceThreads
internal import MillraceTreatment
internal import MillraceWriter

extension LetterRetry {
    /// Writes some letters of a tenant again, in a session of its own, as `POST /v1/dead-letters/retry` asks for.
    static func run(
        _ ids: [UniqueID], of tenant: Int32, by actor: AuditActor, _ configuration: DaemonConfiguration,
        _ primary: PrimaryGuard, packs: [PackDefinition], policy: LinePolicy?, keys: FieldKeys?, logger: Logger
    ) async throws -> LetterRetryReport {
        try await BlockingThread.run(named: "letters") {
            let database = configuration.database
            let connection = try primary.connect(database.url.value) { (url) throws(PostgresError) in
                try PostgresConnection(
                    connectionString: url, applicationName: "millrace letters", connectTimeout: database.connectTimeout,
                    statementTimeout: database.statementTimeout, interrupt: PostgresInterrupt(), logger: logger)
            }
            let retry = LetterRetry(
                connection: connection, limits: configuration.eventLimits, partitions: configuration.partitionOptions,
                packs: packs, policy: policy, keys: keys, actor: actor)
            var report = LetterRetryReport()
            try retry.run(.only(ids.map { "\($0)" }, tenant: tenant)) { report.add($0, $1) }
            return report
        }
    }
}

extension LetterRetryReport {
    /// Refusals that are listed.
    private static let refusalsMax = 10

    /// Counts what became of a letter.
    package mutating func add(_ id: String, _ outcome: LetterRetry.Outcome) {
        retried += 1
        switch outcome {
        case .committed: committed += 1
        case .duplicate: duplicates += 1
        case .skipped: skipped += 1
        case .refused(let code, let message):
            refused += 1
            guard refusals.count < Self.refusalsMax else { return }
            refusals.append(Refused(id: id, code: code, message: message))
        }
    }
}
