import Testing

@testable import MillraceCommands

struct MemoryGivenTests {
    @Test func `a process's cgroups are its own and those above`() {
        #expect(
            MemoryGiven.groups("12:cpu:/x\n0::/system.slice/millrace.service\n")
                == ["/system.slice/millrace.service", "/system.slice", ""])
        #expect(MemoryGiven.groups("0::/\n") == [""])
        #expect(MemoryGiven.groups("1:memory:/x\n").isEmpty)
    }
}
