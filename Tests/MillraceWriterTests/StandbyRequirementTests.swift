import Testing

@testable import MillraceWriter

struct StandbyRequirementTests {
    private func standby(_ name: String?, _ bytes: UInt64?) -> StandbyRequirement.Standby {
        StandbyRequirement.Standby(name: name, replayed: bytes.map { LogPosition(bytes: $0) })
    }

    @Test func `the setting names standbys, all, or none`() {
        #expect(StandbyRequirement("") == .none)
        #expect(StandbyRequirement(" * ") == .all)
        #expect(StandbyRequirement("a, b ,") == .named(["a", "b"]))
    }

    @Test func `all that are attached count, and nobody waits for none`() {
        #expect(StandbyRequirement.all.standing(of: []) == .replayed(LogPosition(bytes: .max)))
        #expect(
            StandbyRequirement.all.standing(of: [standby("a", 7), standby("b", 5)])
                == .replayed(LogPosition(bytes: 5)))
    }

    @Test func `a named standby that is absent holds up all, others don't`() {
        let requirement = StandbyRequirement.named(["a"])
        #expect(requirement.standing(of: [standby("a", 7), standby("b", 5)]) == .replayed(LogPosition(bytes: 7)))
        guard case .blocked(let reason) = requirement.standing(of: [standby("b", 5)]) else {
            Issue.record("an absent standby does not hold up anything")
            return
        }
        #expect(reason.contains("application_name a"))
    }

    @Test(arguments: [StandbyRequirement.all, .named(["a"])])
    func `a position that may not be seen holds up all and names the right`(requirement: StandbyRequirement) {
        guard case .blocked(let reason) = requirement.standing(of: [standby(nil, nil)]) else {
            Issue.record("a hidden standby does not hold up anything")
            return
        }
        #expect(reason.contains("pg_monitor"))
    }
}
