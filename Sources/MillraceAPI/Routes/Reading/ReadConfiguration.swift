package import MillraceEvent

/// What all reading routes share.
package struct ReadConfiguration: Sendable {
    package var tenant: Int32 = 0
    /// A page ends when it has become as large.
    package var pageBytesMax = 4 << 20
    /// What pages hold while they are made.
    package var memory = MemoryBudget()
    /// `limits.payload_text_bytes`: events and saves whose numbers print as more are not read (`PrintedSize`).
    package var documentBytesMax = 4 << 20
    /// Users on the dashboard.
    package var topUsersMax = 10
    /// An unhealthy database answers 503.
    package var isStrict = false

    /// Signs cursors.
    package var cursorKey = CursorKey()

    package init() {}
}
