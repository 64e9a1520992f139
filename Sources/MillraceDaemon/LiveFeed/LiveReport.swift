import MillraceAPI

/// What a reader may see of two samples: counts, and what came of them in a second. A value without clock and counters.
struct LiveReport: Sendable {
    /// Senders that are listed.
    private static let sendersMax = 50

    let latest: LiveSample
    /// The one before; nil: there are no rates.
    let previous: LiveSample?
    let reader: LiveReader

    var scope: LiveTick.Scope {
        reader.seesAll || reader.tenant == 0 && latest.isOfOneTenant ? .all : .tenant
    }

    /// That the rates are over.
    var intervalSeconds: Double? {
        previous.map { Self.rounded(latest.at - $0.at) }.flatMap { $0 > 0 ? $0 : nil }
    }

    var counts: LiveCounts { counts(of: latest) }

    var rates: LiveRates? {
        guard let previous, intervalSeconds != nil else { return nil }
        let before = counts(of: previous)
        let now = counts
        func rate(_ path: KeyPath<LiveCounts, Int?>) -> Double? {
            guard let count = now[keyPath: path] else { return nil }
            return perSecond(count, since: before[keyPath: path] ?? 0)
        }
        let isAll = scope == .all
        return LiveRates(
            received: rate(\.received), accepted: rate(\.accepted), sampledOut: rate(\.sampledOut),
            refused: rate(\.refused), committed: rate(\.committed), duplicates: rate(\.duplicates), dead: rate(\.dead),
            parked: rate(\.parked),
            bytesReceived: isAll ? perSecond(latest.bytesReceived, since: previous.bytesReceived) : nil,
            requests: isAll ? perSecond(latest.requests, since: previous.requests) : nil,
            batches: isAll ? perSecond(latest.batches, since: previous.batches) : nil)
    }

    /// The most frequent first; nil where the reader may not see them.
    var refusals: [LiveRefusal]? {
        guard scope == .all else { return nil }
        return latest.refusals.sorted { ($1.value, $0.key) < ($0.value, $1.key) }.map { code, total in
            LiveRefusal(
                code: code, total: total, rate: perSecond(total, since: previous?.refusals[code] ?? 0))
        }
    }

    /// The busiest first.
    var senders: LiveSenders {
        let before = Dictionary((previous?.senders ?? []).map { (Self.identity($0), $0.lines) }) { first, _ in first }
        let visible = latest.senders.filter { $0.lines > 0 && (scope == .all || $0.tenant == reader.tenant) }
        let items = visible.map { sender in
            LiveSender(
                key: sender.key, name: sender.name, tenant: sender.tenant.map { Int($0) }, lines: sender.lines,
                rate: perSecond(sender.lines, since: before[Self.identity(sender)] ?? 0))
        }
        let sorted = items.sorted { first, second in
            (second.rate ?? 0, second.lines, first.key ?? "") < (first.rate ?? 0, first.lines, second.key ?? "")
        }
        return LiveSenders(by: latest.hasKeys ? .key : .tenant, items: Array(sorted.prefix(Self.sendersMax)))
    }

    private static func identity(_ sender: LiveSample.Sender) -> String {
        sender.key ?? sender.tenant.map { "\($0)" } ?? "others"
    }

    /// All lines, or those of the reader's tenant.
    private func counts(of sample: LiveSample) -> LiveCounts {
        guard scope == .tenant else { return sample.counts }
        var counts = LiveCounts()
        guard let tenant = sample.tenants[reader.tenant] else {
            // One that has sent nothing has none; where some are counted together, it may be one of those.
            if !sample.hasOtherTenants { (counts.accepted, counts.committed, counts.dead) = (0, 0, 0) }
            return counts
        }
        (counts.accepted, counts.committed, counts.dead) = (tenant.accepted, tenant.committed, tenant.dead)
        return counts
    }

    /// Nil without a sample before. Never negative: a key that was made anew counts from 0.
    private func perSecond(_ count: Int, since before: Int) -> Double? {
        intervalSeconds.map { (Double(max(0, count - before)) / $0 * 1000).rounded() / 1000 }
    }

    /// Seconds, to the millisecond.
    static func rounded(_ duration: Duration) -> Double { (duration / .milliseconds(1)).rounded() / 1000 }
}
