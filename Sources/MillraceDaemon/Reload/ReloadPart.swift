import MillraceConfiguration

/// Something of the daemon that goes by the configuration, as a reload sees it.
struct ReloadPart: Sendable {
    /// A part that has read and checked all that can fail, and has changed nothing.
    struct Prepared: Sendable {
        /// What is in force after it, for the operator; nil: nothing beyond the keys that changed.
        var detail: (@Sendable () -> String)?
        /// Puts it in force; can't fail.
        var apply: @Sendable () async -> Void
    }

    /// Of the report.
    let name: String
    /// The configuration is resolved. Throws why this part can't take it.
    let prepare: @Sendable (DaemonConfiguration) async throws -> Prepared
}
