internal import MillraceEvent
internal import MillraceTelemetry
internal import ServiceLifecycle
internal import Synchronization

/// Recordings of latencies over the next seconds: each holds the histograms of its start, so they are counted, in number
/// and in bytes.
final class LatencyRecordings: Sendable {
    private let latencies: @Sendable () -> LatencySnapshot
    private let memory: MemoryBudget
    private let max: Int
    private let retryAfterSeconds: Int
    private let count = Atomic<Int>(0)

    init(_ configuration: APIConfiguration, latencies: @escaping @Sendable () -> LatencySnapshot) {
        max = configuration.recordingsMax
        memory = configuration.memory
        retryAfterSeconds = configuration.retryAfterSeconds
        self.latencies = latencies
    }

    /// Of the next `length`; less when the daemon stops. Throws `APIProblem`.
    func record(_ length: Duration) async throws -> LatencySnapshot {
        defer { count.subtract(1, ordering: .relaxed) }
        guard count.add(1, ordering: .relaxed).newValue <= max else {
            throw APIProblem(
                "too_many_recordings", "\(max) recordings run already (latency.recordings_max); try later",
                retryAfterSeconds: retryAfterSeconds)
        }
        let before = latencies()
        let held = MemoryReservation(memory, for: .recordings)
        guard held.resize(to: before.heldBytes) else {
            throw APIProblem(MemoryShortage.code, MemoryShortage.message, retryAfterSeconds: retryAfterSeconds)
        }
        try? await cancelWhenGracefulShutdown { try await Task.sleep(for: length) }
        return latencies().since(before)
    }
}
