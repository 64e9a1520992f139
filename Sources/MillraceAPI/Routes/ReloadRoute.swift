internal import Hummingbird
package import MillraceJSON
internal import MillracePostgres
package import MillraceRoutes

/// What a reload did.
package struct ReloadReport: JSONShape, Equatable {
    package struct Change: JSONShape, Equatable {
        /// `section.key`.
        package var key: String
        /// As config.toml writes it; without secrets.
        package var old: String
        package var new: String

        package init(key: String, old: String, new: String) {
            self.key = key
            self.old = old
            self.new = new
        }

        package static let name = "SettingChange"

        package static let fields: [JSONField<Self>] = [
            JSONField("key", \.key), JSONField("old", \.old, doc: "As config.toml writes it; a secret is \"***\""),
            JSONField("new", \.new),
        ]
    }

    package struct Part: JSONShape, Equatable {
        package var name: String
        package var detail: String

        package init(name: String, detail: String) {
            self.name = name
            self.detail = detail
        }

        package static let name = "ReloadedPart"

        package static let fields: [JSONField<Self>] = [JSONField("name", \.name), JSONField("detail", \.detail)]
    }

    package var applied: [Change]
    package var needsRestart: [Change]
    /// Keys.
    package var unchanged: Int
    /// What was read again besides the configuration.
    package var parts: [Part]

    package init(applied: [Change], needsRestart: [Change], unchanged: Int, parts: [Part]) {
        self.applied = applied
        self.needsRestart = needsRestart
        self.unchanged = unchanged
        self.parts = parts
    }

    package static let fields: [JSONField<Self>] = [
        JSONField("applied", \.applied, doc: "In force now"),
        JSONField("needs_restart", \.needsRestart, doc: "As before; a restart takes the new values"),
        JSONField("unchanged", \.unchanged, doc: "How many keys are as they were"),
        JSONField("parts", \.parts, doc: "What was read again besides the configuration, and what it is now"),
    ]
}

/// Why nothing was reloaded.
package struct ReloadRefusal: Error, Sendable, Equatable {
    /// At least one; each names the file, line and key, where there is one.
    package var reasons: [String]

    package init(reasons: [String]) {
        self.reasons = reasons
    }

    static let code = "reload_refused"

    /// A line for each reason.
    var message: String { reasons.joined(separator: "\n") }

    package var answer: ErrorAnswer { ErrorAnswer(code: Self.code, message: message) }
}

/// `POST /v1/reload`.
struct ReloadRoute: Sendable {
    /// Throws `ReloadRefusal`. Is told who asks.
    typealias Reload = @Sendable (AuditActor) async throws -> ReloadReport

    static let operation = APIOperation(
        .reload, id: "reload", tag: "operations", summary: "Reads the configuration again, and applies what may change",
        access: .admin, answer: .init(ReloadReport.self),
        furtherFailures: [(409, "The configuration, or a file that it names, is wrong: nothing was changed")])

    let reload: Reload

    var endpoint: Endpoint {
        Endpoint(Self.operation) { _, context in
            let actor = context.caller.actor(at: context.peer)
            do {
                return Response(try await reload(actor))
            } catch let refusal as ReloadRefusal {
                throw APIProblem(.conflict, ReloadRefusal.code, refusal.message)
            }
        }
    }
}
