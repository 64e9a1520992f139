/// The rows that a fold is over.
package enum FoldSource: Sendable, Equatable {
    case conversations
    /// Events of a type that one of the patterns takes.
    case events([EventTypePattern])
}
