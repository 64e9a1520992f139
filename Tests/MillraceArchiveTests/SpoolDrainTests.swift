import MillraceArchive
import MillraceEvent
import MillracePostgres
import Testing

struct SpoolDrainTests {
    private static let spool = UniqueID.random()

    private static func standing(
        _ state: DaemonStanding.State, position: UInt64 = 100, settled: UInt64 = 100, hasSession: Bool? = nil,
        isAsked: Bool = false
    ) -> DaemonStanding {
        let row = DaemonRow(
            spoolID: spool, host: "app-1", version: "1", processID: 1, startedAt: Timestamp(microseconds: 0),
            spoolPosition: position, settledPosition: settled, spoolBytes: 0, waitingLines: 0, oldestWaitingAt: nil,
            listeners: [])
        return DaemonStanding(
            row: row, state: state, seenAt: Timestamp(microseconds: 0), stoppedAt: nil, lag: nil,
            hasSession: hasSession ?? (state == .here || state == .silent), isAsked: isAsked)
    }

    /// Whether the daemon is waited for after each of `standings`.
    private func waits(_ standings: [DaemonStanding], without: Set<UniqueID> = []) -> [Bool] {
        var drain = SpoolDrain(without: without)
        return standings.map { !drain.holders([$0]).isEmpty }
    }

    @Test func `a daemon is through once it has settled what it held when it answered, whatever came later`() {
        #expect(
            waits([
                Self.standing(.here, position: 90, settled: 90, isAsked: true),
                Self.standing(.here, position: 120, settled: 90),
                Self.standing(.here, position: 150, settled: 119, isAsked: true),
                Self.standing(.here, position: 200, settled: 120),
            ]) == [true, true, true, false])
        #expect(waits([Self.standing(.here)]) == [false])
    }

    @Test func `who is through stays so`() {
        #expect(waits([Self.standing(.here), Self.standing(.away), Self.standing(.silent)]) == [false, false, false])
    }

    @Test func `who is away or silent may hold lines, whatever it told last`() {
        #expect(waits([Self.standing(.away)]) == [true])
        #expect(waits([Self.standing(.silent, isAsked: true)]) == [true])
    }

    @Test func `who stopped in order holds what it told, unless it is back`() {
        #expect(waits([Self.standing(.stopped)]) == [false])
        #expect(waits([Self.standing(.stopped, settled: 99)]) == [true])
        #expect(waits([Self.standing(.stopped, hasSession: true)]) == [true])
    }

    @Test func `who is passed over is told, unless it holds nothing for certain`() {
        let drain = SpoolDrain(without: [Self.spool])
        #expect(waits([Self.standing(.away)], without: [Self.spool]) == [false])
        #expect(drain.passedOver([Self.standing(.away)]).count == 1)
        #expect(drain.passedOver([Self.standing(.stopped)]).isEmpty)
        #expect(SpoolDrain().passedOver([Self.standing(.away)]).isEmpty)
    }
}
