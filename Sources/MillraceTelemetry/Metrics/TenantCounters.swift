internal import Synchronization

/// `[metrics]`.
package struct MetricsConfiguration: Sendable, Equatable {
    /// Tenants with series of their own; the lines of all others are counted together.
    package var tenantsMax = 100

    package init() {}
}

/// One count of lines, by tenant: the first tenants that come have each a series of its own, the others share one, so that
/// the number of tenants does not bound what a reader of metrics has to keep.
package final class TenantCounters: Sendable {
    /// The label of those without a series of their own.
    package static let others = "other"

    private let registry: PrometheusRegistry?
    private let name: MetricName
    private let tenantsMax: Int
    /// Tenant 0, who is all there is where nobody made any, needs no lock.
    private let first: MetricCounter
    private let counters = Mutex<[Int32: MetricCounter]>([:])

    /// `registry`: where they are exposed; nil: nowhere.
    package init(_ name: MetricName, tenantsMax: Int, in registry: PrometheusRegistry?) {
        self.name = name
        self.tenantsMax = tenantsMax
        self.registry = registry
        first = Self.counter(name, "0", registry)
    }

    package func add(_ lines: Int, tenant: Int32) {
        guard tenant != 0 else { return first.add(lines) }
        counter(of: tenant).add(lines)
    }

    /// The counter of a tenant, or that of those who share one.
    package func counter(of tenant: Int32) -> MetricCounter {
        guard tenant != 0 else { return first }
        return counters.withLock { counters in
            if let counter = counters[tenant] { return counter }
            // No tenant has a negative number; one place is tenant 0's.
            let isShared = counters.count { $0.key > 0 } >= tenantsMax - 1
            let key: Int32 = isShared ? -1 : tenant
            if let counter = counters[key] { return counter }
            let counter = Self.counter(name, isShared ? Self.others : "\(tenant)", registry)
            counters[key] = counter
            return counter
        }
    }

    /// Of each tenant that has a series of its own; nil: of all others together. In no order.
    package var all: [(tenant: Int32?, lines: Int)] {
        let others = counters.withLock { $0 }
        return [(0, first.value)] + others.map { tenant, counter in (tenant < 0 ? nil : tenant, counter.value) }
    }

    private static func counter(_ name: MetricName, _ tenant: String, _ registry: PrometheusRegistry?) -> MetricCounter
    {
        registry?.counter(name, [.tenant: tenant]) ?? MetricCounter()
    }
}
