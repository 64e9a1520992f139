import Glibc
import Logging
import MillraceAccess
import MillraceConfiguration
import MillraceEvent
import MillraceIntake
import MillracePostgres
import MillraceSpool
import MillraceTelemetry
internal import MillraceThreads
import MillraceWriter
import ServiceLifecycle

/// Keeps the ring of keys as PostgreSQL has them.
///
/// Enters: the rows of `public.access_keys`, and before PostgreSQL ever answered, the file beside the spool. Leaves: the
/// ring, and the file.
///
/// Invariants
/// 1. What is committed there is in the ring after `auth.refresh_interval` and one look, as long as PostgreSQL answers: a
///    look reads one row, and all keys only where that row is another.
/// 2. While PostgreSQL does not answer, the last known keys go on, over restarts too.
/// 3. Nobody gets in by accident: keys are wanted as long as the file can't be trusted, or PostgreSQL says that there are
///    keys and not which.
/// 4. The ring changes before the file does, so that no disk holds up a revocation.
///
/// Crash: the file is the old one or the new one as a whole. Backpressure: none, a look at a time. Shutdown: ends at once.
actor KeyRefreshService: Service {
    private let executor = ThreadExecutor(name: "keys")
    private let configuration: AuthConfiguration
    private let primary: PrimaryGuard
    private let database: DatabaseConfiguration
    private let ring: KeyRing
    private let file: KeyFile
    private let metrics: KeyMetrics
    private let logger: Logger
    private let interrupt = PostgresInterrupt()
    private var connection: PostgresConnection?
    /// Of the keys in the ring; nil before PostgreSQL said one.
    private var state: String?
    /// What the file says, and what it lacks.
    private var written: KeyFile.Content?
    private var unsaved: KeyFile.Content?
    private var isFailing = false
    private var isFileFailing = false

    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    /// `configuration`: resolved; the spool's directory must exist.
    init(
        _ configuration: DaemonConfiguration, primary: PrimaryGuard, ring: KeyRing, metrics: KeyMetrics, logger: Logger
    ) {
        self.primary = primary
        self.configuration = configuration.auth
        database = configuration.database
        self.ring = ring
        file = KeyFile(directory: configuration.spool.directory)
        self.metrics = metrics
        self.logger = logger
    }

    /// Fills the ring for the first time: by the file, then by PostgreSQL where it answers. To be called before anybody
    /// listens.
    func begin() {
        do {
            if let content = try file.read(of: fingerprint) {
                written = content
                ring.recall(content.keys, areAnyKnown: content.areAnyKnown, at: .now, clock: IntakeAccess.now)
            }
        } catch {
            ring.doubt()
            logger.warning(
                "key file ignored",
                metadata: [
                    .path: "\(file.path)", .reason: "\(error)",
                    .hint: "keys are wanted until PostgreSQL says which there are; it is written anew then",
                ])
        }
        look()
    }

    /// Until graceful shutdown or cancellation.
    nonisolated func run() async {
        await cancelWhenGracefulShutdown {
            await withTaskCancellationHandler {
                await self.refresh()
            } onCancel: {
                self.interrupt.raise()
            }
        }
    }

    private func refresh() {
        while !Task.isCancelled {
            do throws(PostgresError) { try interrupt.pause(for: configuration.refreshInterval) } catch { break }
            look()
        }
        connection = nil
        executor.stop()
    }

    private func look() {
        do throws(PostgresError) {
            try read()
            if isFailing { logger.notice("keys read again", metadata: [.count: "\(ring.count)"]) }
            isFailing = false
        } catch {
            connection = nil
            if error.code == .interrupted { return }
            metrics.failures.add(1)
            // There are keys, and who has one can't be told.
            if error.sqlState == .insufficientPrivilege, state == nil, written == nil { ring.doubt() }
            if !isFailing { logger.warning("keys not read", metadata: metadata(of: error)) }
            isFailing = true
        }
        ring.expire(at: .now)
    }

    private func read() throws(PostgresError) {
        let table = KeyTable(connection: try connected())
        // Before the keys: what changes in between is seen by the next look.
        guard let state = try table.state() else {
            // Where there is no table, no key was ever made; unless it was there before. Whoever puts the database in order
            // may have to be alone in it.
            connection = nil
            guard self.state != nil || written?.areAnyKnown == true else {
                return ring.replace(with: [], at: .now, clock: IntakeAccess.now)
            }
            throw PostgresError(
                code: .databaseUnfit, message: "there is no table of keys",
                hint: "Run `millrace migrate up`, then `millrace keys create`.")
        }
        if state != self.state {
            // A half restored database has no keys, or some.
            try Migrator.requireWhole(on: table.connection)
            take(try table.inForce(configuration.keysMax), state)
        }
        metrics.confirmed(at: .now)
        save()
    }

    private func take(_ keys: KeyTable.InForce, _ state: String) {
        let wantedKeys = ring.wantsKeys
        let isFirstLook = self.state == nil
        ring.replace(with: keys.records, areAnyKnown: keys.areAnyKnown, at: .now, clock: IntakeAccess.now)
        if ring.wantsKeys, !wantedKeys, !isFirstLook {
            logger.notice("keys are wanted of everyone from now on", metadata: [.count: "\(keys.records.count)"])
        } else if ring.wantsKeys {
            logger.info("keys in force", metadata: [.count: "\(keys.records.count)"])
        }
        if ring.wantsKeys, !keys.areAnyKnown {
            logger.warning(
                "nobody gets in", metadata: [.hint: "no key was made yet: millrace keys create --scope write"])
        }
        if keys.isCut {
            logger.warning(
                "too many keys",
                metadata: [
                    .limit: "\(configuration.keysMax)",
                    .hint: "the newest open nothing: revoke what nobody uses, or raise auth.keys_max",
                ])
        }
        self.state = state
        unsaved = KeyFile.Content(
            database: fingerprint, state: state, areAnyKnown: keys.areAnyKnown, keys: keys.records)
    }

    private func save() {
        guard let content = unsaved else { return }
        if content == written {
            unsaved = nil
            return
        }
        do {
            try file.write(content)
            written = content
            unsaved = nil
            isFileFailing = false
        } catch {
            if !isFileFailing {
                logger.warning(
                    "keys not remembered",
                    metadata: [
                        .path: "\(file.path)", .error: "\(error)",
                        .hint: "make room; until then a restart without PostgreSQL knows the keys of before",
                    ])
            }
            isFileFailing = true
        }
    }

    private func connected() throws(PostgresError) -> PostgresConnection {
        if let connection, connection.isUsable { return connection }
        // The primary of before a failover still has keys that were revoked since.
        let connection = try primary.connect(database.url.value) { (url) throws(PostgresError) in
            try PostgresConnection(
                connectionString: url, applicationName: "millrace keys", connectTimeout: database.connectTimeout,
                statementTimeout: database.connectTimeout, interrupt: interrupt, logger: logger)
        }
        self.connection = connection
        return connection
    }

    private var fingerprint: String { ConnectionString(database.url.value).shown }

    private func metadata(of error: PostgresError) -> Logger.Fields {
        var metadata: Logger.Fields = [
            .code: "\(error.code.rawValue)", .reason: "\(error.message)", .count: "\(ring.count)",
        ]
        metadata[.hint] = "\(ring.wantsKeys ? "the last known keys go on. " : "")\(error.hint)"
        if let sqlState = error.sqlState { metadata[.sqlState] = "\(sqlState)" }
        return metadata
    }
}
