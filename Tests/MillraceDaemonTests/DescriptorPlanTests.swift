import MillraceConfiguration
import MillraceDaemon
import Testing

struct DescriptorPlanTests {
    @Test func `where files suffice the intakes have what is configured`() {
        let plan = DescriptorPlan(DaemonConfiguration(), limit: 65_536)
        #expect(plan.suffices && plan.needed < 4096)
        #expect(plan.tcp.connections == 1024 && plan.http.connections == 1024)
        #expect(plan.needed == plan.tcp.sockets + plan.http.sockets + plan.reserve)
    }

    @Test(arguments: [250, 300, 1024, 2000])
    func `where they do not, all sockets and the reserve fit in`(limit: Int) {
        let plan = DescriptorPlan(DaemonConfiguration(), limit: limit)
        #expect(!plan.suffices)
        #expect(plan.tcp.sockets + plan.http.sockets + plan.reserve <= limit)
        #expect(plan.http.connections > 16 && plan.tcp.connections >= 8)
    }
}
