package import MillraceChannels
internal import MillraceAccess

/// Who follows `/v1/live`, and so what of the others' counts may be shown.
package struct LiveReader: Sendable {
    package var tenant: Int32
    /// By its scope, or since nobody here is asked for a key or a token.
    package var seesAll: Bool

    package init(tenant: Int32, seesAll: Bool) {
        self.tenant = tenant
        self.seesAll = seesAll
    }

    init(_ caller: Caller) {
        self.init(
            tenant: caller.tenant, seesAll: caller.may(.admin) || caller.grant == nil && !caller.isOfToken)
    }
}

/// What streams are made of; outlives a reload.
package struct LiveSources: Sendable {
    package let feed: EventFeed
    package let streams: OpenStreams
    /// The state of the daemon, as the reader may see it; the same for all who ask within half an interval. Nil: this daemon
    /// has none.
    package let tick: @Sendable (LiveReader) -> LiveTick?

    package init(
        feed: EventFeed = EventFeed(), streams: OpenStreams = OpenStreams(),
        tick: @escaping @Sendable (LiveReader) -> LiveTick? = { _ in nil }
    ) {
        self.feed = feed
        self.streams = streams
        self.tick = tick
    }

    static func tooMany(_ configuration: APIRoutesConfiguration) -> APIProblem {
        APIProblem(
            "too_many_streams",
            "\(configuration.streams.streamsMax) streams are open already (live.streams_max); try later",
            retryAfterSeconds: configuration.retryAfterSeconds)
    }
}
