import MillraceEvent
import MillraceTestSupport
import Testing

@testable import MillraceWriter

struct LedgerStateMachineTests {
    typealias Machine = LedgerStateMachine<String>

    private static func position(_ bytes: UInt64) -> LogPosition { LogPosition(bytes: bytes) }

    /// A machine of a daemon that found 0..<100 on disk, connected to server "a" whose ledger holds `ledger`.
    private static func started(ledger: [Range<UInt64>]) -> (machine: Machine, actions: [Machine.Action]) {
        var machine = Machine(liveStart: 100)
        #expect(machine.connected(to: "a") == [.readLedger])
        let actions = machine.ledgerRead(ledger, retained: [0..<100], at: position(10), on: "a")
        return (machine, actions)
    }

    @Test func `the holes of the ledger below the first live sequence are scanned`() {
        let (_, actions) = Self.started(ledger: [0..<10, 20..<90])
        #expect(actions == [.scan([10..<20, 90..<100])])
    }

    @Test func `live sequences are not scanned, however late the ledger is read`() {
        var machine = Machine(liveStart: 100)
        _ = machine.connected(to: "a")
        let actions = machine.ledgerRead([0..<100], retained: [0..<5000], at: Self.position(10), on: "a")
        #expect(actions == [])
    }

    @Test func `a commit is settled once the log is flushed beyond it, not before`() {
        var (machine, _) = Self.started(ledger: [0..<100])
        #expect(machine.flushed(to: Self.position(10), on: "a") == [.settled([0..<100])])
        #expect(machine.batchCommitted(100..<110, at: Self.position(20), on: "a") == [])
        #expect(machine.flushed(to: Self.position(19), on: "a") == [])
        #expect(machine.unflushedEnd == Self.position(20))
        #expect(machine.flushed(to: Self.position(20), on: "a") == [.settled([100..<110])])
        #expect(machine.unflushedEnd == nil)
    }

    @Test func `what is settled ends before the first hole, and before the first commit that is not flushed`() {
        var machine = Machine(liveStart: 100)
        let retained: SequenceSet = [0..<120]
        #expect(machine.settledEnd(of: retained, end: 120) == 0)
        _ = machine.connected(to: "a")
        _ = machine.ledgerRead([0..<100], retained: [0..<100], at: Self.position(10), on: "a")
        #expect(machine.settledEnd(of: retained, end: 120) == 0)
        _ = machine.flushed(to: Self.position(10), on: "a")
        #expect(machine.settledEnd(of: retained, end: 120) == 100)
        _ = machine.batchCommitted(100..<120, at: Self.position(20), on: "a")
        #expect(machine.settledEnd(of: retained, end: 120) == 100)
        _ = machine.flushed(to: Self.position(20), on: "a")
        #expect(machine.settledEnd(of: retained, end: 120) == 120)
        #expect(machine.settledEnd(of: [], end: 120) == 120)
    }

    @Test func `what a restarted server lost is scanned again, what it kept is not`() {
        var (machine, _) = Self.started(ledger: [0..<100])
        _ = machine.batchCommitted(100..<110, at: Self.position(20), on: "a")
        _ = machine.batchCommitted(110..<120, at: Self.position(30), on: "a")
        #expect(machine.connected(to: "b") == [.unsettled([0..<120]), .readLedger])
        let actions = machine.ledgerRead([0..<110], retained: [0..<120], at: Self.position(25), on: "b")
        #expect(actions == [.scan([110..<120])])
        #expect(machine.flushed(to: Self.position(25), on: "b") == [.settled([0..<110])])
    }

    @Test func `a failover loses even what was flushed on the old server`() {
        var (machine, _) = Self.started(ledger: [0..<100])
        _ = machine.flushed(to: Self.position(10), on: "a")
        _ = machine.connected(to: "standby")
        let actions = machine.ledgerRead([0..<60], retained: [0..<100], at: Self.position(8), on: "standby")
        #expect(actions == [.scan([60..<100])])
    }

    @Test func `what was retired since the last look is not missed after a restart of the server`() {
        var (machine, _) = Self.started(ledger: [0..<100])
        _ = machine.flushed(to: Self.position(10), on: "a")
        _ = machine.connected(to: "b")
        // The spool has retired 0..<60 meanwhile, so the ledger was read from 60 on.
        let actions = machine.ledgerRead([60..<100], retained: [60..<100], at: Self.position(12), on: "b")
        #expect(actions == [])
    }

    @Test func `a retired sequence is never asked for again`() {
        var (machine, _) = Self.started(ledger: [0..<100])
        _ = machine.retired(below: 80)
        _ = machine.connected(to: "standby")
        let actions = machine.ledgerRead([], retained: [80..<100], at: Self.position(8), on: "standby")
        #expect(actions == [.scan([80..<100])])
    }

    @Test func `a commit on the new server is not doubted by a ledger read before it`() {
        var (machine, _) = Self.started(ledger: [0..<100])
        _ = machine.connected(to: "b")
        #expect(machine.batchCommitted(100..<110, at: Self.position(30), on: "b") == [])
        let actions = machine.ledgerRead([0..<100], retained: [0..<110], at: Self.position(25), on: "b")
        #expect(actions == [])
    }

    @Test func `a commit reported late for the old server makes the ledger be read again`() {
        var (machine, _) = Self.started(ledger: [0..<100])
        _ = machine.connected(to: "b")
        _ = machine.ledgerRead([0..<100], retained: [0..<110], at: Self.position(25), on: "b")
        #expect(machine.batchCommitted(100..<110, at: Self.position(20), on: "a") == [.readLedger])
        let actions = machine.ledgerRead([0..<100], retained: [0..<110], at: Self.position(26), on: "b")
        #expect(actions == [.scan([100..<110])])
    }

    /// The simulation found it: two writers with the same lines, each under its own lock.
    @Test func `what a writer still has is not queued a second time, though the ledger held it meanwhile`() {
        var (machine, _) = Self.started(ledger: [0..<100])
        // Committed, and the answer was lost with the server: the writer will come again.
        _ = machine.connected(to: "b")
        _ = machine.ledgerRead([0..<110], retained: [0..<110], at: Self.position(20), on: "b")
        // The next server never got it.
        _ = machine.connected(to: "c")
        let actions = machine.ledgerRead([0..<50], retained: [0..<110], at: Self.position(9), on: "c")
        #expect(actions == [.scan([50..<100])])
        #expect(machine.overlapFound(in: 100..<110, covered: [90..<104]) == [.scan([104..<110])])
    }

    @Test func `an answer of the old server about its flush settles nothing`() {
        var (machine, _) = Self.started(ledger: [0..<100])
        _ = machine.connected(to: "b")
        #expect(machine.flushed(to: Self.position(1000), on: "a") == [])
    }

    @Test func `an answer of the old server about its ledger is asked again`() {
        var (machine, _) = Self.started(ledger: [0..<100])
        _ = machine.connected(to: "b")
        #expect(machine.ledgerRead([], retained: [0..<100], at: Self.position(9), on: "a") == [.readLedger])
    }

    @Test func `a ledger that went backwards on the same server is written again from the spool`() {
        var (machine, _) = Self.started(ledger: [0..<100])
        _ = machine.batchCommitted(100..<120, at: Self.position(20), on: "a")
        #expect(machine.probes(share: 0.5) == [60, 119])
        #expect(machine.ledgerLacked() == [.readLedger])
        machine.ledgerReadBegan()
        // Committed while the ledger is read, so that the answer need not have it.
        _ = machine.batchCommitted(120..<130, at: Self.position(30), on: "a")
        let actions = machine.ledgerRead([0..<90], retained: [40..<130], at: Self.position(31), on: "a")
        #expect(actions == [.unsettled([90..<120]), .scan([90..<120])])
        #expect(machine.flushed(to: Self.position(31), on: "a") == [.settled([120..<130, 0..<90])])
    }

    @Test func `what lies between two runs is neither missed nor counted`() {
        let run: UInt64 = 1 << 57
        var machine = Machine(liveStart: run)
        let retained: SequenceSet = [10..<20, run..<run + 5]
        #expect(machine.uncommitted(of: retained) == Uncommitted(count: 15, earlierCount: 10, first: 10))
        _ = machine.connected(to: "a")
        let actions = machine.ledgerRead([10..<15], retained: retained, at: Self.position(1), on: "a")
        #expect(actions == [.scan([15..<20])])
        #expect(machine.uncommitted(of: retained) == Uncommitted(count: 10, earlierCount: 5, first: 15))
    }

    /// Commits, crashes that lose a random unflushed tail, and retirement in any order: at the end every sequence is in
    /// the ledger, and nothing was settled that a crash could still take.
    @Test(arguments: 0..<200) func `random crashes lose nothing`(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        var machine = Machine(liveStart: 0)
        var server = 0
        var log: [(range: Range<UInt64>, end: UInt64)] = []
        var flushedEnd: UInt64 = 0
        var next: UInt64 = 0
        var todo: [Range<UInt64>] = []
        var settled = SequenceSet()

        func perform(_ actions: [Machine.Action]) {
            for action in actions {
                switch action {
                case .readLedger:
                    machine.ledgerReadBegan()
                    let end = LogPosition(bytes: log.last?.end ?? 0)
                    perform(machine.ledgerRead(log.map(\.range), retained: [0..<next], at: end, on: "\(server)"))
                case .scan(let ranges): todo += ranges
                case .settled(let ranges): for range in ranges { settled.insert(range) }
                case .unsettled(let ranges): for range in ranges { settled.remove(range) }
                }
            }
        }

        perform(machine.connected(to: "0"))
        for _ in 0..<200 {
            switch Int.random(in: 0..<10, using: &generator) {
            case 0..<5:
                let count = UInt64.random(in: 1...50, using: &generator)
                todo.append(next..<next + count)
                next += count
            case 5..<8 where !todo.isEmpty:
                let range = todo.remove(at: Int.random(in: 0..<todo.count, using: &generator))
                log.append((range, (log.last?.end ?? 0) + 10))
                perform(machine.batchCommitted(range, at: LogPosition(bytes: log[log.count - 1].end), on: "\(server)"))
            case 8:
                let end = log.isEmpty ? 0 : log[Int.random(in: 0..<log.count, using: &generator)].end
                flushedEnd = max(flushedEnd, end)
                perform(machine.flushed(to: LogPosition(bytes: flushedEnd), on: "\(server)"))
            default:
                let kept = max(flushedEnd, log.isEmpty ? 0 : log[Int.random(in: 0..<log.count, using: &generator)].end)
                log.removeAll { $0.end > kept }
                flushedEnd = kept
                server += 1
                perform(machine.connected(to: "\(server)"))
            }
            let durable = SequenceSet(log.filter { $0.end <= max(flushedEnd, 0) }.map(\.range))
            for range in settled.ranges { #expect(durable.contains(range), "seed \(seed)") }
        }
        var reached = SequenceSet(log.map(\.range))
        #expect(reached.count == log.reduce(0) { $0 + UInt64($1.range.count) }, "seed \(seed): written twice")
        for range in todo { reached.insert(range) }
        #expect(reached.contains(0..<next), "seed \(seed): lost")
    }
}
