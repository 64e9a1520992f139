/// Everything the daemon can be told, checked and in its own types.
///
/// Each section of config.toml is a struct, each key the property of the same name. A property's initial value is the
/// only place of its default; what it means, its unit and range are in `ConfigurationSchema`.
package struct DaemonConfiguration: Sendable, Equatable {
    package var data = Data()
    package var tcp = TCP()
    package var http = HTTP()
    package var intake = Intake()
    package var memory = Memory()
    package var limits = Limits()
    package var deadLetters = DeadLetters()
    package var spool = Spool()
    package var database = Database()
    package var partitions = Partitions()
    package var projections = Projections()
    package var dedup = Dedup()
    package var api = API()
    package var identity = Identity()
    package var outbox = Outbox()
    package var jwt = JWT()
    package var log = Log()
    package var latency = Latency()
    package var embedded = Embedded()

    package init() {}

    /// `spool.directory`, or its place under `data.directory`.
    package var spoolDirectory: String {
        spool.directory.isEmpty ? data.directory + "/spool" : spool.directory
    }

    /// `database.ledger_join_age`, or what it is derived as: longer than lines are kept for a failover.
    package var ledgerJoinAge: Duration {
        database.ledgerJoinAge == .zero ? spool.retain + .seconds(3600) : database.ledgerJoinAge
    }

    /// `latency.log`, or its place under `data.directory`; empty when there is to be none.
    package var latencyLogPath: String {
        latency.log.isEmpty || latency.log.hasPrefix("/") ? latency.log : data.directory + "/" + latency.log
    }

    package struct Data: Sendable, Equatable {
        package var directory = "/var/lib/millrace"
    }

    package struct TCP: Sendable, Equatable {
        package var listen = ["127.0.0.1:7171"]
        package var backlog = 1024
        package var connectionsMax = 1024
        package var idleTimeout = Duration.seconds(3600)
        package var inflightBytesMax = 1 << 20
        package var refusedLinesMax = 1000
        package var retryInterval = Duration.milliseconds(250)
    }

    package struct HTTP: Sendable, Equatable {
        package var listen = ["127.0.0.1:8080"]
        package var hosts: [String] = []
        package var backlog = 1024
        package var connectionsMax = 1024
        package var reservedConnections = 16
        package var crowdedWait = Duration.milliseconds(500)
        package var headerTimeout = Duration.seconds(10)
        package var headerBytes = 32 << 10
        package var headerFields = 100
        package var bodyRateMin = 1 << 10
        package var bodyRateInterval = Duration.seconds(10)
        package var keepAlive = Duration.seconds(75)
        package var writeTimeout = Duration.seconds(30)
        package var requestBodyMax = 2 << 20
        package var decompressedBytesMax = 1 << 30
        package var decompressionRatioMax = 100
        package var rejectedItemsMax = 1000
        package var submissionBytes = 256 << 10
        package var retryAfter = Duration.seconds(2)
        package var strictHealthChecks = false
    }

    package struct Intake: Sendable, Equatable {
        package var threads = 2
        /// Octal, as `chmod` takes it.
        package var unixMode = "0660"
        package var drainLimit = Duration.seconds(5)
        package var linger = Duration.seconds(1)
        package var committedWait = Duration.seconds(30)
        package var committedWaitersMax = 256
        package var keepalive = Duration.seconds(60)
        package var keepaliveInterval = Duration.seconds(15)
        package var peerTimeout = Duration.seconds(120)

        /// `unixMode` as a number.
        package var unixModeBits: UInt32 { UInt32(unixMode, radix: 8) ?? 0o660 }
    }

    package struct Limits: Sendable, Equatable {
        package var lineBytes = 1 << 20
        package var payloadBytes = 256 << 10
        /// `api.page_bytes`: the largest payload fills a page.
        package var payloadTextBytes = 4 << 20
        package var depth = 64
        package var refusedLineBytes = 8 << 10
        package var refusedLogInterval = Duration.seconds(10)
    }

    package struct DeadLetters: Sendable, Equatable {
        package var retain = Duration.seconds(30 * 86_400)
        package var rowsMax = 100_000
        package var bytesMax = 64 << 20
        package var burstLines = 100
        package var burstInterval = Duration.seconds(60)
        package var sampledOneIn = 100
    }

    package struct Spool: Sendable, Equatable {
        /// Empty: `spool` under `data.directory`; use `DaemonConfiguration.spoolDirectory`.
        package var directory = ""
        package var segmentBytes = 64 << 20
        package var bytes = 16 << 30
        package var freeBytes = 256 << 20
        package var queueBytes = 16 << 20
        package var groupBytes = 4 << 20
        package var zeroAheadBytes = 1 << 20
        package var retain = Duration.seconds(3600)
        /// As `StandbyRequirement` reads it.
        package var retainUntilReplayed = ""
        package var fullRetry = Duration.seconds(1)
    }

    package struct Database: Sendable, Equatable {
        package var url = Secret("postgresql:///millrace?host=/var/run/postgresql")
        package var writers = 2
        package var joinRows = 4096
        package var batchRows = 65_536
        package var batchBytes = 24 << 20
        package var partBytes = 6 << 20
        package var connectTimeout = Duration.seconds(5)
        package var statementTimeout = Duration.seconds(60)
        package var lockTimeout = Duration.seconds(2)
        package var sessionLockTimeout = Duration.seconds(30)
        package var retryMin = Duration.milliseconds(100)
        package var retryMax = Duration.seconds(10)
        package var batchInterval = Duration.milliseconds(10)
        package var smallBatchInterval = Duration.milliseconds(50)
        package var flushPoll = Duration.milliseconds(200)
        package var stallAfter = Duration.seconds(8)
        package var batchLockTimeout = Duration.seconds(10)
        package var stuckBatchesMax = 16
        package var rowErrorTries = 3
        package var drainLimit = Duration.seconds(5)
        /// Zero: derived; use `DaemonConfiguration.ledgerJoinAge`.
        package var ledgerJoinAge = Duration.zero
    }

    package struct Partitions: Sendable, Equatable {
        package enum PayloadIndex: String, Sendable, CaseIterable {
            /// GIN on every month.
            case live
            /// GIN when a month closes.
            case closed
            case none
        }

        package enum Retired: String, Sendable, CaseIterable {
            /// Into dead_letters, as month_retired.
            case deadLetter = "dead_letter"
            /// Into a new partition for the month.
            case attach
        }

        package var ahead = 3
        package var acceptPast = Duration.seconds(13 * 31 * 86_400)
        package var acceptFuture = Duration.seconds(86_400)
        package var payloadIndex = PayloadIndex.live
        package var ginPendingListBytes = 64 << 20
        package var maintenanceInterval = Duration.seconds(3600)
        package var ginCleanInterval = Duration.seconds(1)
        package var ginCleanRows = 2000
        package var ginCleanLimit = Duration.seconds(30)
        package var retired = Retired.deadLetter
    }

    package struct Projections: Sendable, Equatable {
        package var packs = ["analytics", "conversations"]
        /// Empty: only the packs that are compiled in.
        package var directory = ""
    }

    package struct Dedup: Sendable, Equatable {
        package var window = Duration.seconds(7 * 86_400)
    }

    package struct Outbox: Sendable, Equatable {
        package var poll = Duration.milliseconds(250)
        package var batchRows = 1000
    }

    package struct API: Sendable, Equatable {
        /// Empty: `database.url`.
        package var readURL = Secret("")
        package var openOnLoopback = true
        package var connectionsMin = 2
        package var connectionsMax = 20
        package var waitingMax = 1000
        package var acquireTimeout = Duration.seconds(2)
        package var statementTimeout = Duration.seconds(5)
        package var idleTimeout = Duration.seconds(60)
        package var pageBytes = 4 << 20
        /// Empty: a file beside the spool.
        package var cursorKey = Secret("")
    }

    package struct Identity: Sendable, Equatable {
        /// Empty: there is no identity database.
        package var url = Secret("")
        package var cacheEntries = 10_000
        package var cacheLifetime = Duration.seconds(600)
        package var timeout = Duration.seconds(1)
        package var retryAfter = Duration.seconds(5)
        package var usersMax = 10
    }

    package struct JWT: Sendable, Equatable {
        package var secret = Secret("")
        package var keys: [JWTKey] = []
        package var jwksFile = ""
        package var issuer = ""
        package var audience = ""
        package var leeway = Duration.seconds(30)
        package var serviceRole = "service_role"
    }

    package struct Log: Sendable, Equatable {
        package enum Level: String, Sendable, CaseIterable {
            case trace, debug, info, notice, warning, error, critical
        }

        package enum Format: String, Sendable, CaseIterable {
            case text, json
        }

        package var level = Level.info
        package var format = Format.text
        package var bufferBytes = 1 << 20
        package var flushLimit = Duration.seconds(2)
    }

    package struct Memory: Sendable, Equatable {
        package var budget = 256 << 20
        package var lineWait = Duration.seconds(5)
    }

    package struct Latency: Sendable, Equatable {
        package var log = ""
        package var logInterval = Duration.seconds(10)
        package var logBytesMax = 64 << 20
        package var logFiles = 4
        package var recordingsMax = 16
    }

    package struct Embedded: Sendable, Equatable {
        package var sharedBuffers = 256 << 20
        package var startTimeout = Duration.seconds(60)
        package var stopTimeout = Duration.seconds(30)
    }
}
