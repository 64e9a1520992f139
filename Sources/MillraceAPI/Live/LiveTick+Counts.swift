package import MillraceJSON

/// Lines since the daemon's start; nil where the reader may not see a count.
package struct LiveCounts: JSONShape, Equatable {
    /// Looked at by the intake.
    package var received: Int?
    /// Durable.
    package var accepted: Int?
    /// Accepted, and kept nowhere by a rule.
    package var sampledOut: Int?
    /// By the intake.
    package var refused: Int?
    /// Rows that went in.
    package var committed: Int?
    /// Whose row was there already.
    package var duplicates: Int?
    /// In dead_letters since the database refuses them.
    package var dead: Int?
    /// Stored, and a projection lacks them.
    package var parked: Int?

    /// Of nothing.
    package init() {}

    package static let fields: [JSONField<Self>] = [
        JSONField("received", \.received), JSONField("accepted", \.accepted), JSONField("sampled_out", \.sampledOut),
        JSONField("refused", \.refused), JSONField("committed", \.committed), JSONField("duplicates", \.duplicates),
        JSONField("dead", \.dead), JSONField("parked", \.parked),
    ]
}

/// The same a second, of the interval.
package struct LiveRates: JSONShape, Equatable {
    package var received: Double?
    package var accepted: Double?
    package var sampledOut: Double?
    package var refused: Double?
    package var committed: Double?
    package var duplicates: Double?
    package var dead: Double?
    package var parked: Double?
    package var bytesReceived: Double?
    package var requests: Double?
    package var batches: Double?

    package init(
        received: Double?, accepted: Double?, sampledOut: Double?, refused: Double?, committed: Double?,
        duplicates: Double?, dead: Double?, parked: Double?, bytesReceived: Double?, requests: Double?,
        batches: Double?
    ) {
        self.received = received
        self.accepted = accepted
        self.sampledOut = sampledOut
        self.refused = refused
        self.committed = committed
        self.duplicates = duplicates
        self.dead = dead
        self.parked = parked
        self.bytesReceived = bytesReceived
        self.requests = requests
        self.batches = batches
    }

    package static let fields: [JSONField<Self>] = [
        JSONField("received", \.received), JSONField("accepted", \.accepted), JSONField("sampled_out", \.sampledOut),
        JSONField("refused", \.refused), JSONField("committed", \.committed), JSONField("duplicates", \.duplicates),
        JSONField("dead", \.dead), JSONField("parked", \.parked), JSONField("bytes_received", \.bytesReceived),
        JSONField("requests", \.requests), JSONField("batches", \.batches),
    ]
}

/// Lines refused for one reason.
package struct LiveRefusal: JSONShape, Equatable {
    /// `RefusalCode`.
    package var code: String
    /// Since the daemon's start.
    package var total: Int
    /// A second.
    package var rate: Double?

    package init(code: String, total: Int, rate: Double?) {
        self.code = code
        self.total = total
        self.rate = rate
    }

    package static let fields: [JSONField<Self>] = [
        JSONField("code", \.code), JSONField("total", \.total), JSONField("rate", \.rate),
    ]
}

/// Who sends how much.
package struct LiveSenders: JSONShape, Equatable {
    /// How they are told apart.
    package var by: Kind
    /// The busiest first.
    package var items: [LiveSender]

    package init(by: Kind, items: [LiveSender]) {
        self.by = by
        self.items = items
    }

    package static let fields: [JSONField<Self>] = [
        JSONField("by", \.by), JSONField("items", \.items),
    ]

    package enum Kind: String, Sendable, JSONChoice {
        case key
        /// Without keys nobody is told apart but by tenant.
        case tenant
    }
}

/// One that sends.
package struct LiveSender: JSONShape, Equatable {
    /// Its id; nil where tenants are told apart.
    package var key: String?
    /// What people call the key.
    package var name: String?
    /// Nil: all others together.
    package var tenant: Int?
    /// Accepted since the daemon's start.
    package var lines: Int
    /// Of these, a second.
    package var rate: Double?

    package init(key: String?, name: String?, tenant: Int?, lines: Int, rate: Double?) {
        self.key = key
        self.name = name
        self.tenant = tenant
        self.lines = lines
        self.rate = rate
    }

    package static let fields: [JSONField<Self>] = [
        JSONField("key", \.key), JSONField("name", \.name), JSONField("tenant", \.tenant),
        JSONField("lines", \.lines), JSONField("rate", \.rate),
    ]
}
