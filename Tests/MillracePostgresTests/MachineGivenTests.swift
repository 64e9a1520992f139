import Testing

@testable import MillracePostgres

struct MachineGivenTests {
    @Test func `a process's cgroups are its own and those above`() {
        #expect(
            ControlGroups.groups("12:cpu:/x\n0::/system.slice/millrace.service\n")
                == ["/system.slice/millrace.service", "/system.slice", ""])
        #expect(ControlGroups.groups("0::/\n") == [""])
        #expect(ControlGroups.groups("1:memory:/x\n").isEmpty)
    }

    @Test(arguments: [
        ("150000 100000\n", 2), ("100000 100000\n", 1), ("20000 100000", 1), ("max 100000\n", nil), ("", nil),
    ])
    func `a quota of processor time is so many cores, and a part of one is one`(limit: String, cores: Int?) {
        #expect(CoresGiven.count(ofLimit: limit) == cores)
    }

    @Test func `this machine has memory and cores`() throws {
        #expect(try #require(MemoryGiven.ofThisProcess()).bytes > 64 << 20)
        #expect(CoresGiven.ofThisProcess().count >= 1)
    }
}
