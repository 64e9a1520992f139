internal import MillraceProjections

/// Rows exported.
struct ExportCounts: Equatable {
    var events = 0
    var conversations = 0
    /// Conversations left out because their status is not active, which a save can't say.
    var inactive = 0
    /// Left out because they are too large to read.
    var unread = UnreadRows()

    var rows: Int { events + conversations }
}
