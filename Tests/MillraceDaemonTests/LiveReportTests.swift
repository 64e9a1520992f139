import MillraceAPI
import Testing

@testable import MillraceDaemon

struct LiveReportTests {
    private static let start = ContinuousClock.now

    private func sample(after seconds: Double, accepted: Int, _ change: (inout LiveSample) -> Void = { _ in })
        -> LiveSample
    {
        var sample = LiveSample(at: Self.start + .seconds(seconds))
        sample.counts.accepted = accepted
        sample.counts.received = accepted
        sample.tenants[0] = LiveSample.Tenant(accepted: accepted)
        sample.senders = [LiveSample.Sender(tenant: 0, lines: accepted)]
        change(&sample)
        return sample
    }

    private func report(
        _ latest: LiveSample, since previous: LiveSample? = nil, tenant: Int32 = 0, seesAll: Bool = false
    ) -> LiveReport {
        LiveReport(latest: latest, previous: previous, reader: LiveReader(tenant: tenant, seesAll: seesAll))
    }

    @Test func `rates are of the time between two looks, and none of one`() {
        let first = report(sample(after: 0, accepted: 10))
        #expect(first.rates == nil && first.intervalSeconds == nil && first.counts.accepted == 10)
        #expect(first.senders.items.map(\.rate) == [nil])
        let next = report(sample(after: 2, accepted: 110), since: sample(after: 0, accepted: 10))
        #expect(next.intervalSeconds == 2 && next.rates?.accepted == 50 && next.rates?.bytesReceived == 0)
        #expect(next.senders.items.map(\.rate) == [50])
        // Two looks at the same time.
        #expect(report(sample(after: 0, accepted: 5), since: sample(after: 0, accepted: 1)).rates == nil)
    }

    @Test func `a count that begins anew gives no rate below nothing`() {
        let next = report(sample(after: 1, accepted: 3), since: sample(after: 0, accepted: 100))
        #expect(next.rates?.accepted == 0)
    }

    @Test func `a reader of tenant 0 sees all while nobody else is there`() {
        let alone = sample(after: 0, accepted: 1) { $0.keyTenants = [0] }
        #expect(report(alone).scope == .all)
        #expect(report(alone, tenant: 7).scope == .tenant)
        for change: (inout LiveSample) -> Void in [
            { $0.keyTenants = [0, 7] }, { $0.hasOtherTenants = true },
            { $0.tenants[7] = LiveSample.Tenant(dead: 1) },
        ] {
            let shared = sample(after: 0, accepted: 1, change)
            #expect(report(shared).scope == .tenant && report(shared, seesAll: true).scope == .all)
        }
        #expect(report(sample(after: 0, accepted: 1) { $0.tenants[7] = LiveSample.Tenant() }).scope == .all)
    }

    @Test func `a tenant sees its own counts and keys alone`() {
        let shared = sample(after: 1, accepted: 100) { sample in
            sample.hasKeys = true
            sample.keyTenants = [0, 7]
            sample.refusals = ["invalid_json": 3]
            sample.tenants[7] = LiveSample.Tenant(accepted: 5, committed: 4, dead: 1)
            sample.senders = [
                LiveSample.Sender(key: "a", name: "zero", tenant: 0, lines: 95),
                LiveSample.Sender(key: "b", name: "seven", tenant: 7, lines: 5),
            ]
        }
        let own = report(shared, since: sample(after: 0, accepted: 0), tenant: 7)
        #expect(own.counts.accepted == 5 && own.counts.committed == 4 && own.counts.dead == 1)
        #expect(own.counts.received == nil && own.counts.refused == nil && own.counts.duplicates == nil)
        #expect(own.rates?.accepted == 5 && own.rates?.received == nil && own.rates?.requests == nil)
        #expect(own.refusals == nil && own.senders.items.map(\.name) == ["seven"] && own.senders.by == .key)
        let all = report(shared, tenant: 7, seesAll: true)
        #expect(all.counts.accepted == 100 && all.refusals?.map(\.total) == [3])
        #expect(all.senders.items.map(\.name) == ["zero", "seven"])
    }

    @Test func `a tenant without a count of its own learns nothing of the others together`() {
        let crowded = sample(after: 1, accepted: 100) { $0.hasOtherTenants = true }
        #expect(report(crowded, tenant: 999).counts.accepted == nil)
        let quiet = sample(after: 1, accepted: 100) { $0.keyTenants = [0, 9] }
        #expect(report(quiet, tenant: 9).counts.accepted == 0)
    }

    @Test func `the busiest senders come first, and no more than can be shown`() {
        let many = sample(after: 1, accepted: 0) { sample in
            sample.hasKeys = true
            sample.senders =
                (1...80).map { LiveSample.Sender(key: "k\($0)", name: nil, tenant: 0, lines: $0) }
                + [LiveSample.Sender(key: "idle", name: nil, tenant: 0, lines: 0)]
        }
        let before = sample(after: 0, accepted: 0) { sample in
            sample.senders = (1...80).map {
                LiveSample.Sender(key: "k\($0)", name: nil, tenant: 0, lines: $0 == 3 ? 1 : $0)
            }
        }
        let items = report(many, since: before, seesAll: true).senders.items
        #expect(items.count == 50 && items[0].key == "k3" && items[0].rate == 2 && items[1].key == "k80")
    }
}
