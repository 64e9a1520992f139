package import MillraceJSON

/// What `/readyz` says: whether a load balancer should send requests here. PostgreSQL being down does not make the
/// daemon unready, since the spool goes on taking; it is reported as a note.
package struct Readiness: Sendable, Equatable {
    package struct Item: JSONShape, Equatable {
        package var code: String
        package var message: String

        package init(code: String, message: String) {
            self.code = code
            self.message = message
        }

        package static let fields: [JSONField<Self>] = [JSONField("code", \.code), JSONField("message", \.message)]
    }

    /// What is not written, and why.
    package struct Stall: Sendable, Equatable {
        /// False while some events are written.
        package var isTotal: Bool
        package var reason: String
        /// RFC 3339.
        package var since: String

        package init(isTotal: Bool, reason: String, since: String) {
            self.isTotal = isTotal
            self.reason = reason
            self.since = since
        }
    }

    /// Why not; empty when ready.
    package var reasons: [Item]
    /// What else is wrong.
    package var notes: [Item]
    /// nil while events are written.
    package var stall: Stall?

    package init(reasons: [Item] = [], notes: [Item] = []) {
        self.reasons = reasons
        self.notes = notes
    }
}
