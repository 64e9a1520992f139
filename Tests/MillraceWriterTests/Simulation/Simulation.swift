import MillraceEvent
import MillraceTestSupport

@testable import MillraceWriter

/// Some daemons, each with a spool, on one database, in an order that a seed decides; killed, cut off, restarted and failed
/// over. A run is a list of steps that mean something in any state, so that a failing run can be made shorter.
struct Simulation {
    /// A rule of the protocol that is left out.
    enum Mutation {
        case withoutLocks
        case withoutReadingAgain
        /// Where rows live on workers.
        case withAsynchronousCommits
    }

    struct Step {
        enum Kind: CaseIterable {
            case accept, look, write, goOn, flush, send
            case cutOff, cutOffWriter, killDaemon, restartServer, promote, stopWorkers, startWorkers, retire
        }
        var kind: Kind
        var daemon: Int
        var choice: Int

        /// What goes on most of the time, and what goes wrong now and then.
        init(using random: inout some RandomNumberGenerator) {
            let ordinary: [Kind] = [.accept, .look, .look, .write, .write, .write, .write, .goOn, .goOn, .flush, .send]
            let faults: [Kind] = [
                .cutOff, .cutOffWriter, .killDaemon, .restartServer, .promote, .stopWorkers, .startWorkers,
                .startWorkers,
            ]
            let isFault = Int.random(in: 0..<25, using: &random) == 0
            kind = (isFault ? faults : ordinary + [.retire]).randomElement(using: &random) ?? .look
            daemon = Int.random(in: 0..<64, using: &random)
            choice = Int.random(in: 0..<4096, using: &random)
        }
    }

    /// Between two times at which all is let come to an end, and looked at.
    private static let stepsOfRound = 500
    /// A protocol that does not come to an end in so many rounds of all that there is to do is stuck.
    private static let settlingMax = 400
    private static let retention = 120

    private var cluster: SimulatedCluster
    private var daemons: [SimulatedDaemon]
    private var batchID = 0
    private(set) var step = 0

    /// `shape` decides how many daemons and writers there are, and whether rows live on workers.
    init(shape: Int, mutation: Mutation? = nil) {
        cluster = SimulatedCluster(
            hasWorkers: shape % 2 == 1, isSynchronous: mutation != .withAsynchronousCommits,
            locksAreTaken: mutation != .withoutLocks)
        daemons = (0..<1 + shape / 2 % 4).map { spool in
            SimulatedDaemon(
                spool: spool, writers: 1 + shape / 8 % 3, retention: Self.retention,
                rereads: mutation != .withoutReadingAgain)
        }
    }

    /// Runs all of them; what was found wrong, or nil.
    static func violation(of steps: [Step], shape: Int, mutation: Mutation? = nil) -> String? {
        var simulation = Simulation(shape: shape, mutation: mutation)
        for (index, step) in steps.enumerated() {
            simulation.perform(step)
            if (index + 1) % stepsOfRound == 0 { simulation.settle() }
            if let violation = simulation.cluster.violation { return violation }
        }
        simulation.settle()
        return simulation.cluster.violation
    }

    /// The shortest run that was found to fail, too, in so many tries; and what is wrong with it.
    static func shortened(_ steps: [Step], shape: Int, mutation: Mutation?, tries: Int) -> (
        steps: [Step], violation: String
    ) {
        var (shortest, left) = (steps, tries)
        var violation = violation(of: steps, shape: shape, mutation: mutation) ?? ""
        var piece = steps.count / 2
        while piece > 0, left > 0 {
            var start = 0
            while start < shortest.count, left > 0 {
                var candidate = shortest
                candidate.removeSubrange(start..<min(start + piece, candidate.count))
                left -= 1
                if let found = Self.violation(of: candidate, shape: shape, mutation: mutation) {
                    (shortest, violation) = (candidate, found)
                } else {
                    start += piece
                }
            }
            piece /= 2
        }
        return (shortest, violation)
    }

    private mutating func perform(_ next: Step) {
        step += 1
        let index = next.daemon % daemons.count
        switch next.kind {
        case .accept: daemons[index].accept(UInt64(1 + next.choice % 30))
        case .look: daemons[index].look(&cluster, at: step)
        case .write: write(index, writer: next.choice % 7, choice: next.choice)
        case .goOn:
            let sessions = cluster.sessions.keys.sorted()
            if !sessions.isEmpty { cluster.goOn(with: sessions[next.choice % sessions.count], at: step) }
        case .flush: cluster.flush(to: next.choice % 3 == 0 ? .max : cluster.flushed + next.choice % 4)
        case .send: cluster.send(next.choice % 4)
        case .cutOff: daemons[index].cutOff(&cluster)
        case .cutOffWriter: daemons[index].cutOff(writer: next.choice, &cluster)
        case .killDaemon: daemons[index].restart(&cluster)
        case .restartServer: cluster.restart()
        case .promote: cluster.promote(oldest: step - Self.retention)
        case .stopWorkers: cluster.stopWorkers()
        case .startWorkers: cluster.startWorkers()
        case .retire: daemons[index].retire()
        }
    }

    private mutating func write(_ daemon: Int, writer: Int, choice: Int?) {
        batchID += 1
        daemons[daemon].write(writer, &cluster, choice: choice, batchID: batchID)
    }

    /// Nothing goes wrong any more, until all is done; then every line that was accepted is in ledger and tables, and counted.
    private mutating func settle() {
        cluster.startWorkers()
        for _ in 0..<Self.settlingMax where !daemons.allSatisfy(\.isIdle) {
            for index in daemons.indices {
                daemons[index].look(&cluster, at: step)
                for writer in 0..<3 { write(index, writer: writer, choice: nil) }
            }
            for session in cluster.sessions.keys.sorted() { cluster.goOn(with: session, at: step) }
        }
        for daemon in daemons where cluster.violation == nil {
            guard daemon.isIdle else {
                cluster.note("spool \(daemon.spool): it does not come to an end")
                continue
            }
            let places = [
                ("the ledger", SequenceSet(cluster.ledger(of: daemon.spool))),
                ("the tables", cluster.rows(of: daemon.spool)),
                ("the projections", cluster.counted(of: daemon.spool)),
            ]
            for (place, held) in places {
                let missing = daemon.accepted.ranges.flatMap { held.gaps(in: $0) }
                if !missing.isEmpty { cluster.note("spool \(daemon.spool): \(place) lacks \(missing)") }
            }
        }
    }
}
