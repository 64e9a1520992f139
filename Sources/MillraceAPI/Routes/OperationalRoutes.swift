internal import Hummingbird
package import MillraceJSON
internal import MillraceRoutes
internal import NIOCore

/// `/livez`, `/readyz` and `/metrics`.
enum OperationalRoutes {
    static let livez = Endpoint(
        APIOperation(
            .livez, id: "livez", tag: "operations", summary: "The daemon runs", access: .open,
            answer: .init(Alive.self))
    ) { _, _ in Response(Alive()) }

    static let readyzOperation = APIOperation(
        .readyz, id: "readyz", tag: "operations", summary: "The daemon takes requests", access: .open,
        answer: .init(Readiness.self), furtherFailures: [(503, "It does not, for the reasons given")],
        unavailableAnswer: .init(Readiness.self))

    static func readyz(_ readiness: @escaping @Sendable () -> Readiness) -> Endpoint {
        Endpoint(readyzOperation) { _, _ in
            let readiness = readiness()
            return Response(readiness, status: readiness.status == .ready ? .ok : .serviceUnavailable)
        }
    }

    /// `metrics`: in Prometheus' text format.
    static func metrics(_ metrics: @escaping @Sendable () async -> String) -> Endpoint {
        let operation = APIOperation(
            .metrics, id: "metrics", tag: "operations", summary: "Prometheus' text format", access: .operations)
        return Endpoint(operation) { _, _ in
            Response(
                status: .ok, headers: [.contentType: "text/plain; version=0.0.4; charset=utf-8"],
                body: .init(byteBuffer: ByteBuffer(string: await metrics())))
        }
    }
}

private struct Alive: JSONShape {
    enum Status: String, JSONChoice {
        case alive
    }

    var status = Status.alive

    static let fields: [JSONField<Self>] = [JSONField("status", \.status)]
}

extension Readiness: JSONShape {
    enum Status: String, JSONChoice {
        case ready
        case notReady = "not_ready"
    }

    var status: Status { reasons.isEmpty ? .ready : .notReady }

    /// False while lines wait and nothing is written.
    private var isWriting: Bool { !(stall?.isTotal ?? false) }

    package static let fields: [JSONField<Self>] = [
        JSONField("notes", \.notes),
        JSONField("reason", optional: \.stall?.reason, doc: "Why not all batches are written"),
        JSONField("reasons", \.reasons),
        JSONField("since", optional: \.stall?.since, as: .time, doc: "Since when"),
        JSONField("status", \.status),
        JSONField(
            "writing", \.isWriting, doc: "False while lines wait and nothing is written; `reason` and `since` tell more"
        ),
    ]
}
