import Synchronization

/// What a callback was told, in order.
final class Told: Sendable {
    private let all = Mutex<[String]>([])

    var codes: [String] { all.withLock { $0 } }

    func add(_ code: String) {
        all.withLock { $0.append(code) }
    }
}
