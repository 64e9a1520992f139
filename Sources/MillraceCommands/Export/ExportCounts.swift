/// Rows exported.
struct ExportCounts: Equatable {
    var events = 0
    var conversations = 0
    /// Conversations left out because their status is not active, which a save can't say.
    var inactive = 0

    var rows: Int { events + conversations }
}
