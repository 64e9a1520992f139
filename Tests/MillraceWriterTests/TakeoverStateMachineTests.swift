import MillraceEvent
import Testing

@testable import MillraceWriter

struct TakeoverStateMachineTests {
    private static let spool = UniqueID(high: 0x0192_F3A4_0000_7000, low: 1)
    private static let run = RunName(spool: spool, startedAt: Timestamp(microseconds: 2))
    private static let earlier = RunName(spool: spool, startedAt: Timestamp(microseconds: 1))

    private var machine = TakeoverStateMachine(
        run: run, lockTimeout: .seconds(30), statementTimeout: .seconds(60))
    private let start = ContinuousClock.now

    private static func ledger(idleFor quiet: Duration, state: String? = "idle", isOwnRole: Bool = true) -> LockHolder {
        LockHolder(
            backendID: 7, startedAt: "then", name: earlier.session("ledger"), isOwnRole: isOwnRole, isWriter: false,
            state: state, waitEvent: nil, quiet: quiet, client: nil)
    }

    private static func writer(of run: RunName) -> LockHolder {
        LockHolder(
            backendID: 8, startedAt: "then", name: run.session("writer 0"), isOwnRole: true, isWriter: true,
            state: "active", waitEvent: "SyncRep", quiet: .seconds(1), client: nil)
    }

    @Test func `names fit into what PostgreSQL keeps, and tell runs apart`() {
        let name = RunName(spool: Self.spool, startedAt: .now).session("writer 63")
        #expect(name.utf8.count < 64)
        #expect(Self.run.owns(Self.run.session("ledger")))
        #expect(!Self.run.owns(Self.earlier.session("ledger")))
    }

    @Test mutating func `a session that has long asked nothing is ended, and told again only after a while`() {
        let dead = Self.ledger(idleFor: .seconds(10))
        #expect(machine.held(by: [dead], at: start) == [.terminate(dead)])
        #expect(machine.held(by: [dead], at: start + .seconds(4)) == [])
        #expect(machine.held(by: [dead], at: start + .seconds(5)) == [.terminate(dead)])
    }

    @Test mutating func `a live session is reported, never ended, and given up on at the limit`() {
        let live = Self.ledger(idleFor: .milliseconds(900))
        #expect(machine.held(by: [live], at: start) == [])
        #expect(machine.held(by: [live], at: start + .seconds(2)) == [.report(live)])
        #expect(machine.held(by: [live], at: start + .seconds(29)) == [])
        #expect(machine.held(by: [live], at: start + .seconds(30)) == [.giveUp(live)])
    }

    @Test mutating func `a session amid a statement is dead only when no daemon would wait for it any more`() {
        let busy = Self.ledger(idleFor: .seconds(69), state: "active")
        #expect(machine.held(by: [busy], at: start) == [])
        let stuck = Self.ledger(idleFor: .seconds(70), state: "active")
        #expect(machine.held(by: [stuck], at: start + .seconds(1)) == [.terminate(stuck)])
    }

    @Test(arguments: [(nil, true), ("idle", false)])
    mutating func `a session whose state is hidden, or of another role, is never ended`(
        state: String?, isOwnRole: Bool
    ) {
        let other = Self.ledger(idleFor: .seconds(1000), state: state, isOwnRole: isOwnRole)
        #expect(machine.held(by: [other], at: start) == [])
        #expect(machine.held(by: [other], at: start + .seconds(30)) == [.giveUp(other)])
    }

    @Test mutating func `with the spool's lock, an earlier run's writer has a moment, and this run's has the limit`() {
        let old = Self.writer(of: Self.earlier)
        let own = Self.writer(of: Self.run)
        #expect(machine.held(by: [old], at: start) == [])
        #expect(machine.held(by: [old], at: start + .seconds(3)) == [.terminate(old)])
        var machine = TakeoverStateMachine(
            run: Self.run, lockTimeout: .seconds(30), statementTimeout: .seconds(60))
        #expect(machine.held(by: [own], at: start) == [])
        #expect(machine.held(by: [own], at: start + .seconds(3)) == [.report(own)])
        #expect(machine.held(by: [own], at: start + .seconds(30)) == [.terminate(own)])
    }
}
