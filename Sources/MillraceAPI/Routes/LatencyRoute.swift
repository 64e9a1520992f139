internal import HTTPTypes
internal import Hummingbird
internal import MillraceTelemetry
internal import NIOCore

/// `GET /debug/latency`: percentiles of every stage since the start, or of the next `seconds`.
///
/// `format`: text (default), json, hgrm or hlog. `stage`: one stage only; an hgrm is of `received_to_committed` unless
/// another one is named. `seconds`: 1 … 300; the answer comes when they have passed.
struct LatencyRoute: Sendable {
    private static let secondsMax = 300

    private let latencies: @Sendable () -> LatencySnapshot
    private let recordings: LatencyRecordings

    init(_ configuration: APIConfiguration, latencies: @escaping @Sendable () -> LatencySnapshot) {
        self.latencies = latencies
        recordings = LatencyRecordings(configuration, latencies: latencies)
    }

    func respond(_ request: Request) async throws -> Response {
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
