import FoundationEssentials
import Glibc
import MillracePostgres
import MillraceTestSupport
import Testing

extension ChaosRun {
    /// Lets `mishap` happen, waits a moment, and takes it back.
    mutating func carryOut(_ mishap: ChaosMishap) throws {
        switch mishap {
        case .tornTail: try tearTail()
        case .olderCopy: try restoreOlderCopy()
        case .nullTrigger: try swallowRows()
        case .roleTimeouts:
            try during(
                "ALTER ROLE millrace IN DATABASE \(name) SET statement_timeout = '1ms'",
                "ALTER ROLE millrace IN DATABASE \(name) SET lock_timeout = '1ms'",
                until: "ALTER ROLE millrace IN DATABASE \(name) RESET ALL")
        case .readOnlyDatabase:
            try during(
                "ALTER DATABASE \(name) SET default_transaction_read_only = on",
                until: "ALTER DATABASE \(name) RESET default_transaction_read_only")
        case .lockedMonth: try lockMonth()
        case .databaseAway:
            try during(
                "ALTER DATABASE \(name) ALLOW_CONNECTIONS false", Self.termination(of: name),
                "ALTER DATABASE \(name) RENAME TO \(name)_away",
                until: "ALTER DATABASE \(name)_away RENAME TO \(name)", "ALTER DATABASE \(name) ALLOW_CONNECTIONS true")
        case .sessionsTerminated: try cluster.superuser().execute(Self.termination(of: name))
        case .unkindClients: try sendUnkindly()
        }
    }

    /// A row that is taken away by hand is found, and one that is added; nothing is said when it is as it was.
    func expectVerifyToSeeChanges() throws {
        let connection = try installation.database.connect()
        let table = "public.analytics_events"
        try connection.execute(
            """
            CREATE TABLE public.taken AS SELECT * FROM \(table) ORDER BY random() LIMIT 1;
            DELETE FROM \(table) AS e USING public.taken AS t WHERE (e.created_at, e.id) = (t.created_at, t.id)
            """)
        #expect(try !installation.daemon.run("verify").isSuccess, "a row is missing")
        try connection.execute("INSERT INTO \(table) SELECT * FROM public.taken")
        try installation.auditor.verify(installation.daemon)
        try connection.execute(
            "UPDATE public.taken SET id = gen_random_uuid(); INSERT INTO \(table) SELECT * FROM public.taken")
        #expect(try !installation.daemon.run("verify").isSuccess, "a row is one too many")
    }

    private var name: String { installation.database.name }

    private static func termination(of database: String) -> String {
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = '\(database)'"
    }

    /// Runs `statements` as the superuser, ends the daemon's sessions so that they count, waits, and runs the others.
    private mutating func during(_ statements: String..., until ends: String...) throws {
        let superuser = try cluster.superuser()
        for statement in statements { try superuser.execute(statement) }
        try superuser.execute(Self.termination(of: name))
        waitForProgress(within: .milliseconds(700))
        for statement in ends { try superuser.execute(statement) }
        try superuser.execute(Self.termination(of: name))
    }

    private var spool: String { installation.daemon.directory + "/spool" }

    private mutating func tearTail() throws {
        let daemon = installation.daemon
        try daemon.kill()
        let segments = try FileManager.default.contentsOfDirectory(atPath: spool).filter { $0.hasSuffix(".seg") }
        if let newest = segments.max() {
            let torn = (0..<Int.random(in: 1...5000, using: &random)).map { _ in
                UInt8.random(in: 0...255, using: &random)
            }
            let descriptor = open("\(spool)/\(newest)", O_WRONLY | O_APPEND | O_CLOEXEC)
            defer { close(descriptor) }
            let bytes = Array("\u{1}torn".utf8) + torn
            guard write(descriptor, bytes, bytes.count) == bytes.count else {
                throw TestSupportError(message: "\(newest) cannot be written")
            }
        }
        try daemon.start()
    }

    /// What was acknowledged since the copy is in the tables before the newer spool goes, else it would be lost rightly.
    private mutating func restoreOlderCopy() throws {
        let daemon = installation.daemon
        let copy = daemon.directory + "/older-spool"
        let files = FileManager.default
        try daemon.kill()
        if files.fileExists(atPath: copy) { try files.removeItem(atPath: copy) }
        try files.copyItem(atPath: spool, toPath: copy)
        try daemon.start()
        waitForProgress(within: .seconds(2))
        try daemon.stop()
        let waiting = try installation.auditor.verify(daemon).total?.inSpool
        try cluster.stop()
        if waiting == 0 {
            try files.removeItem(atPath: spool)
            try files.moveItem(atPath: copy, toPath: spool)
        }
        try daemon.start()
        waitForProgress(within: .seconds(1))
        try cluster.start()
    }

    private mutating func swallowRows() throws {
        let connection = try installation.database.connect()
        let tables = ["analytics_events", "conversations"]
        try connection.execute(
            """
            CREATE FUNCTION public.swallow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'
            """)
        for table in tables {
            try define(
                "CREATE TRIGGER swallow BEFORE INSERT ON public.\(table) FOR EACH ROW EXECUTE FUNCTION public.swallow()",
                on: connection)
        }
        waitForProgress(within: .milliseconds(700))
        for table in tables { try define("DROP TRIGGER swallow ON public.\(table)", on: connection) }
        try define("DROP FUNCTION public.swallow()", on: connection)
    }

    /// A definition locks the table and then its months, a writer the other way round, and the daemon makes months
    /// meanwhile: the server ends one of two that wait for each other, or finds a trigger half gone (XX000). An
    /// administrator whom that hits says it again.
    private func define(_ statement: String, on connection: PostgresConnection) throws {
        while true {
            do {
                try connection.execute(statement)
                return
            } catch {
                guard ["40P01", "XX000"].contains(error.sqlState?.rawValue) else { throw error }
            }
        }
    }

    private mutating func lockMonth() throws {
        let months = try installation.auditor.strings(
            "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'public.analytics_events'::regclass")
        guard let month = months.randomElement(using: &random) else { return }
        let connection = try installation.database.connect()
        try connection.execute("BEGIN; LOCK TABLE \(month) IN ACCESS EXCLUSIVE MODE")
        waitForProgress(within: .milliseconds(700))
        try connection.execute("COMMIT")
    }

    /// Their lines were all acknowledged before, so they add no row.
    private mutating func sendUnkindly() throws {
        let daemon = installation.daemon
        for index in 0..<10 {
            let lines = senders[index % senders.count].events.lines(0..<3)
            guard let reader = try? StreamSocket(daemon.http), let waiter = try? StreamSocket(daemon.http),
                let vanishing = try? StreamSocket(daemon.tcp)
            else { return }
            try? reader.send(Array("GET /v1/events?limit=1000 HTTP/1.1\r\nHost: localhost\r\n\r\n".utf8))
            let head = "POST /v1/events?ack=committed HTTP/1.1\r\nHost: localhost\r\n"
            let fields = "Content-Type: application/x-ndjson\r\nContent-Length: \(lines.count)\r\n\r\n"
            if acked > senders.count * 6 { try? waiter.send(Array((head + fields).utf8) + lines) }
            try? vanishing.send(Array("{\"event_type\":\"half".utf8))
            unkind.append(reader)
            if index % 2 == 0 { unkind.append(vanishing) }
        }
        unkind.removeFirst(max(0, unkind.count - 60))
    }
}
