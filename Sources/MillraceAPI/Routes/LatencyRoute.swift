internal import HTTPTypes
internal import Hummingbird
internal import MillraceChannels
internal import MillraceJSON
internal import MillraceRoutes
internal import MillraceTelemetry
internal import NIOCore
internal import ServiceLifecycle
internal import Synchronization

/// `GET /debug/latency`: percentiles of every stage since the start, or of the next `seconds`.
///
/// `format`: text (default), json, hgrm or hlog. `stage`: one stage only; an hgrm is of `received_to_committed` unless
/// another one is named. `seconds`: 1 … 300; the answer comes when they have passed.
struct LatencyRoute: Sendable {
    private static let operation = APIOperation(
        .latency, id: "latencies", tag: "operations", summary: "Percentiles of every stage", access: .operations,
        parameters: [
            APIParameter("format", .choice(LatencyFormat.allCases.map(\.rawValue)), "Of the answer", fallback: "text"),
            APIParameter("stage", .choice(MetricName.stages.compactMap(\.stage)), "One stage only"),
            APIParameter("seconds", .integer(1...secondsMax), "Of the time that begins now"),
        ], furtherContent: [("application/json", .anyObject)])

    private static let secondsMax = 300

    private let latencies: @Sendable () -> LatencySnapshot
    private let recordings: LatencyRecordings

    init(_ configuration: APIRoutesConfiguration, latencies: @escaping @Sendable () -> LatencySnapshot) {
        self.latencies = latencies
        recordings = LatencyRecordings(configuration, latencies: latencies)
    }

    var endpoint: Endpoint { Endpoint(Self.operation) { request, _ in try await respond(request) } }

    private func respond(_ request: Request) async throws -> Response {
        let parameters = request.uri.queryParameters
        let wanted = parameters["format"].map(String.init) ?? LatencyFormat.text.rawValue
        guard let format = LatencyFormat(rawValue: wanted) else {
            let known = LatencyFormat.allCases.map(\.rawValue).joined(separator: ", ")
            throw APIProblem(.badRequest, "invalid_format", "format is one of \(known)")
        }
        var snapshot = try await snapshot(parameters["seconds"].map(String.init))
        let stage = parameters["stage"].map(String.init) ?? (format == .hgrm ? LatencySnapshot.wholeStage : nil)
        if let stage {
            guard let only = snapshot.only(stage) else {
                let known = MetricName.stages.compactMap(\.stage).joined(separator: ", ")
                throw APIProblem(.badRequest, "unknown_stage", "stage is one of \(known)")
            }
            snapshot = only
        }
        return Response(
            status: .ok, headers: [.contentType: format.contentType],
            body: .init(byteBuffer: ByteBuffer(string: snapshot.text(format))))
    }

    private func snapshot(_ seconds: String?) async throws -> LatencySnapshot {
        guard let seconds else { return latencies() }
        guard let count = Int(seconds), (1...Self.secondsMax).contains(count) else {
            throw APIProblem(
                .badRequest, "invalid_seconds", "seconds is a whole number from 1 to \(Self.secondsMax)")
        }
        return try await recordings.record(.seconds(count))
    }
}

/// Recordings of latencies over the next seconds: each holds the histograms of its start, so they are counted, in number
/// and in bytes.
private final class LatencyRecordings: Sendable {
    private let latencies: @Sendable () -> LatencySnapshot
    private let memory: MemoryBudget
    private let max: Int
    private let retryAfterSeconds: Int
    private let count = Atomic<Int>(0)

    init(_ configuration: APIRoutesConfiguration, latencies: @escaping @Sendable () -> LatencySnapshot) {
        max = configuration.routes.recordingsMax
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
