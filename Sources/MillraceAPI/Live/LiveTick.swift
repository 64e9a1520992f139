package import MillraceJSON

/// The state of the daemon at a moment, for who watches it: `event: tick` of `/v1/live`. What its reader may not see, or
/// what nothing is known of, is nil.
package struct LiveTick: Sendable, Equatable {
    /// What the reader may see.
    package enum Scope: String, Sendable, JSONChoice {
        case all
        /// Counts of lines are of its tenant.
        case tenant
    }

    /// RFC 3339.
    package var time: String
    package var scope: Scope
    /// Of the reader.
    package var tenant: Int
    package var version: String
    /// Empty where the build was not told.
    package var commit: String
    package var startedAt: String
    package var uptimeSeconds: Double
    /// That the rates are over; nil: there are none.
    package var intervalSeconds: Double?
    package var readiness: LiveReadiness
    package var lines: LiveCounts
    package var bytesReceived: Int?
    package var requests: Int?
    package var batches: Int?
    /// A second.
    package var rates: LiveRates?
    package var refusals: [LiveRefusal]?
    package var conservation: LiveConservation
    package var spool: LiveSpool
    package var database: LiveDatabase
    package var writers: [LiveWriter]
    package var latency: [LiveLatency]
    /// Whole months after this one that have their partitions.
    package var monthsAhead: Int
    package var connections: [LiveConnections]?
    package var senders: LiveSenders
    package var streams: LiveStreams

    package init(
        time: String, scope: Scope, tenant: Int, version: String, commit: String, startedAt: String,
        uptimeSeconds: Double, intervalSeconds: Double?, readiness: LiveReadiness, lines: LiveCounts,
        bytesReceived: Int?, requests: Int?, batches: Int?, rates: LiveRates?, refusals: [LiveRefusal]?,
        conservation: LiveConservation, spool: LiveSpool, database: LiveDatabase, writers: [LiveWriter],
        latency: [LiveLatency], monthsAhead: Int, connections: [LiveConnections]?, senders: LiveSenders,
        streams: LiveStreams
    ) {
        self.time = time
        self.scope = scope
        self.tenant = tenant
        self.version = version
        self.commit = commit
        self.startedAt = startedAt
        self.uptimeSeconds = uptimeSeconds
        self.intervalSeconds = intervalSeconds
        self.readiness = readiness
        self.lines = lines
        self.bytesReceived = bytesReceived
        self.requests = requests
        self.batches = batches
        self.rates = rates
        self.refusals = refusals
        self.conservation = conservation
        self.spool = spool
        self.database = database
        self.writers = writers
        self.latency = latency
        self.monthsAhead = monthsAhead
        self.connections = connections
        self.senders = senders
        self.streams = streams
    }
}

extension LiveTick: JSONShape {
    package static let fields: [JSONField<Self>] = [
        JSONField("time", \.time), JSONField("scope", \.scope), JSONField("tenant", \.tenant),
        JSONField("version", \.version), JSONField("commit", \.commit), JSONField("started_at", \.startedAt),
        JSONField("uptime_seconds", \.uptimeSeconds), JSONField("interval_seconds", \.intervalSeconds),
        JSONField("readiness", \.readiness), JSONField("lines", \.lines), JSONField("bytes_received", \.bytesReceived),
        JSONField("requests", \.requests), JSONField("batches", \.batches), JSONField("rates", \.rates),
        JSONField("refusals", \.refusals), JSONField("conservation", \.conservation), JSONField("spool", \.spool),
        JSONField("database", \.database), JSONField("writers", \.writers), JSONField("latency", \.latency),
        JSONField("months", { Months(ahead: $0.monthsAhead) }), JSONField("connections", \.connections),
        JSONField("senders", \.senders), JSONField("live", \.streams),
    ]

    private struct Months: JSONShape {
        var ahead: Int

        static let fields: [JSONField<Self>] = [JSONField("ahead", \.ahead)]
    }
}
