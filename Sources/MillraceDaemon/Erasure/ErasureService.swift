import Logging
import MillraceAPI
import MillraceBackup
import MillraceConfiguration
import MillraceEvent
import MillracePostgres
import MillraceProjections
import MillraceSpool
import MillraceTelemetry
internal import MillraceThreads
import MillraceWriter
import ServiceLifecycle

/// Erases users: does this spool's part of every erasure, and goes through the tables where nobody else does.
///
/// Enters: rows of `erasures` and `erasure_spools`. Leaves: tables and segments without the users.
///
/// Invariants
/// 1. The spool is said to be settled only when every line that was durable then is in the ledger for good.
/// 2. Its files are gone through only after the tables were, and said to be done only when no file has the users in lines that
///    were there when it was first seen to be asked. That place is in the database, since what follows it is not erased.
/// 3. Before that the erasure stands in the journal beside the spool. What the journal knows and the database does not, since a
///    backup was restored or a standby took over, is looked for in the tables once they have what the spool held.
///
/// Crash: whatever was under way is done again. Backpressure: one erasure's run at a time. Shutdown: ends between two pages
/// or segments.
actor ErasureService: Service {
    private let executor = ThreadExecutor(name: "erasure")
    private let configuration: DaemonConfiguration
    private let primary: PrimaryGuard
    private let packs: [PackDefinition]
    private let spool: SpoolService
    private let saves: RouteTable
    private let logger: Logger
    private let interrupt = PostgresInterrupt()
    private var connection: PostgresConnection?
    private let journal: ErasureJournal
    private let backups: ErasureJournal
    /// Whether the journal and the database have been compared in this session.
    private var isCompared = false
    /// Where the spool ended when users were first to be looked for again.
    private var dueEnd: UInt64?
    private var isCopyFailing = false

    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    /// `routes`: what knows whose the latest saves are.
    init(
        _ configuration: DaemonConfiguration, primary: PrimaryGuard, packs: [PackDefinition], spool: SpoolService,
        routes: RouteTable, logger: Logger
    ) {
        self.configuration = configuration
        self.primary = primary
        self.packs = packs
        self.spool = spool
        saves = routes
        self.logger = logger
        journal = ErasureJournal(besideSpool: configuration.spoolDirectory)
        backups = ErasureJournal(
            besideBackups: configuration.backupDirectory, spool: "\(spool.store.spoolID)")
    }

    /// Queues an erasure in a session of its own.
    static func queue(
        _ user: String, of tenant: Int32, by actor: AuditActor, _ database: DatabaseConfiguration,
        _ primary: PrimaryGuard,
        logger: Logger
    ) async throws -> String {
        try await BlockingThread.run(named: "erasure-queue") {
            let connection = try primary.connect(database.url.value) { (url) throws(PostgresError) in
                try PostgresConnection(
                    connectionString: url, applicationName: "millrace erasure", connectTimeout: database.connectTimeout,
                    statementTimeout: database.statementTimeout, interrupt: PostgresInterrupt(), logger: logger)
            }
            return try ErasureQueue(on: connection).add(user, tenant: tenant, source: .api, by: actor)
        }
    }

    /// Until graceful shutdown or cancellation.
    nonisolated func run() async {
        await cancelWhenGracefulShutdown {
            await withTaskCancellationHandler {
                await self.work()
            } onCancel: {
                self.interrupt.raise()
            }
        }
    }

    private func work() async {
        var backoff = Backoff(min: configuration.database.retryMin, max: configuration.database.retryMax)
        while !Task.isCancelled {
            do {
                let connection = try connected()
                if try ErasureQueue(on: connection).isThere {
                    if !isCompared {
                        try Migrator.requireWhole(on: connection)
                        try compareJournal(connection)
                    }
                    try eraseAgain(connection)
                    try settle(connection)
                    try await rewrite(connection)
                    try erase(connection)
                }
                backoff.reset()
                try interrupt.pause(for: configuration.erasure.poll)
            } catch {
                connection = nil
                if (error as? PostgresError)?.code == .interrupted || Task.isCancelled { break }
                if backoff.attempts == 0 {
                    logger.warning(
                        "erasure failed",
                        metadata: [.error: "\(error)", .hint: "it is tried again; `millrace users list`"])
                }
                do throws(PostgresError) { try interrupt.pause(for: backoff.next()) } catch { break }
            }
        }
        connection = nil
        executor.stop()
    }

    // MARK: - The spool's part

    /// Notes where the spool ends for those that ask, and says which are answered: what it held then is in the tables.
    private func settle(_ connection: PostgresConnection) throws {
        let queue = ErasureQueue(on: connection)
        let spoolID = spool.store.spoolID
        let asking = try queue.asking(spoolID)
        guard !asking.isEmpty else { return }
        let end = spool.store.endSequence
        let new = asking.filter { $0.end == nil }.map(\.erasure)
        if !new.isEmpty { try queue.spoolEnds(new, spool: spoolID, at: end) }
        let settled = asking.filter { spool.store.isSettled(below: $0.end ?? end) }.map(\.erasure)
        if !settled.isEmpty { try queue.spoolSettled(settled, spool: spoolID) }
    }

    private func rewrite(_ connection: PostgresConnection) async throws {
        let queue = ErasureQueue(on: connection)
        let wanted = try queue.rewriting(spool.store.spoolID)
        guard !wanted.isEmpty else { return }
        let salt = try queue.salt()
        try journal.append(try ErasureRows(on: connection).done(wanted.map(\.erasure.id)))
        copyJournal()
        let last = spool.store.endSequence
        let ends = Set(wanted.map { $0.end ?? last }).sorted()
        let fieldKeys = try LoadedFields(configuration.fields).keys
        // What came since is the sender's new word, and in the tables as it is.
        let scopes = try ends.map { end in
            let erasures = wanted.filter { ($0.end ?? last) >= end }.map(\.erasure)
            let users = erasures.map { ErasedUser($0, salt: salt) }
            var scope = ErasureScope(users, paths: configuration.erasure.paths, packs: packs)
            scope.keys = try queue.keys(of: erasures)
            scope.fieldKeys = fieldKeys
            return (end: end, scope: scope)
        }
        guard let all = scopes.first?.scope, let end = ends.last else { return }
        try await spool.endSegment(below: end)
        var lines = 0
        for number in spool.store.ended(below: end) {
            try Task.checkCancellation()
            let found = try spool.store.rewrite(
                number, below: end, reserveBytes: configuration.spool.freeBytes
            ) { sequence, header, line in
                scopes.first { sequence < $0.end }?.scope.line(line, kind: header.kind, tenant: header.tenant)
            }
            if found > 0 { try await spool.takeRewritten(number) }
            lines += found
        }
        let tenants = Set(all.users.map(\.tenant))
        spool.store.removeDamaged { bytes in tenants.contains { all.mentions(bytes, tenant: $0) } }
        try await saves.forget(Set(all.users.map(\.id)))
        try queue.spoolDone(wanted.map(\.erasure.id), spool: spool.store.spoolID, lines: lines)
        logger.notice("spool erased", metadata: [.count: "\(wanted.count)", .lines: "\(lines)"])
    }

    // MARK: - The journal

    /// Each learns what the other knows.
    private func compareJournal(_ connection: PostgresConnection) throws {
        let rows = ErasureRows(on: connection)
        let isNew = !journal.isThere
        let comparison = try rows.compare(try journal.lines())
        let lacking = comparison.lacking.compactMap(ErasureJournal.erasure).map(\.id)
        // Another daemon's, of which this spool has never heard, may still be in its files.
        try journal.addDue(lacking + (isNew ? [] : comparison.unwritten))
        let added = try rows.add(comparison.lacking)
        try journal.append(try rows.done(comparison.unwritten))
        copyJournal()
        if !added.isEmpty {
            logger.notice("erasures that the database did not know", metadata: [.count: "\(added.count)"])
        }
        isCompared = true
    }

    /// Looks for users again in what came into the tables since.
    private func eraseAgain(_ connection: PostgresConnection) throws {
        let due = try journal.due()
        guard !due.isEmpty else { return }
        let end = dueEnd ?? spool.store.endSequence
        dueEnd = end
        guard spool.store.isSettled(below: end) else { return }
        let queued = try ErasureReplay(
            connection: connection, packs: packs, paths: configuration.erasure.paths
        ).queueAgain(due)
        try journal.removeDue()
        dueEnd = nil
        logger.notice("erased users looked for again", metadata: [.count: "\(queued)"])
    }

    /// Beside the backups, where this user may write there.
    private func copyJournal() {
        do {
            try journal.copy(to: backups)
            isCopyFailing = false
        } catch {
            guard !isCopyFailing else { return }
            isCopyFailing = true
            logger.warning(
                "erasures not kept beside the backups",
                metadata: [
                    .path: "\(backups.path)", .error: "\(error)",
                    .hint:
                        "let the daemon write there (ReadWritePaths), or make a backup after each erasure: an older one would bring the users back if this host were lost",
                ])
        }
    }

    // MARK: - The tables

    private func erase(_ connection: PostgresConnection) throws {
        let run = ErasureRun(
            connection: connection, packs: packs, paths: configuration.erasure.paths,
            fieldKeys: try LoadedFields(configuration.fields).keys)
        let isDone = try run.run { step in
            // The one who waits for this spool is this very thread.
            if case .waitingForSpools = step { try settle(connection) }
            try Task.checkCancellation()
        }
        if isDone { logger.info("erasures carried on") }
    }

    private func connected() throws(PostgresError) -> PostgresConnection {
        if let connection, connection.isUsable { return connection }
        isCompared = false
        dueEnd = nil
        let database = configuration.database
        let new = try primary.connect(database.url.value) { (url) throws(PostgresError) in
            try PostgresConnection(
                connectionString: url, applicationName: "millrace erasure", connectTimeout: database.connectTimeout,
                statementTimeout: database.statementTimeout, interrupt: interrupt, logger: logger)
        }
        try new.requireUTF8()
        // What is said to be gone is gone, whatever the server's setting.
        try new.execute("SET synchronous_commit = on")
        connection = new
        return new
    }
}
