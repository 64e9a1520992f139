import MillraceIntake
import ServiceLifecycle

/// Both intakes and the readers as one service, so that a stop drains them at the same time: `intake.drain_limit` passes
/// once, neither intake takes lines while the other one has stopped, and no request waits for PostgreSQL for longer.
struct IntakeStage: Service {
    let tcp: TCPIntakeService
    let http: HTTPIntakeService
    let reads: ReadStage

    /// Until graceful shutdown; an error of one ends the other.
    func run() async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await tcp.run() }
            group.addTask { try await http.run() }
            group.addTask { await reads.run() }
            do {
                // Not `waitForAll`, which waits for every child before it throws the first one's error.
                while try await group.next() != nil {}
            } catch {
                group.cancelAll()
                throw error
            }
        }
    }
}
