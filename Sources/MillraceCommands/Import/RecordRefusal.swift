internal import MillraceEvent

/// Why a record becomes no event.
struct RecordRefusal: Error, Equatable {
    /// snake_case; the daemon's own where it would refuse.
    var code: String
    var message: String

    init(_ code: String, _ message: String) {
        self.code = code
        self.message = message
    }

    init(_ refusal: Refusal) {
        code = refusal.code.rawValue
        message = refusal.message
        if refusal.code == .createdAtOutOfRange { message += "; raise partitions.accept_past for the daemon and here" }
    }
}
