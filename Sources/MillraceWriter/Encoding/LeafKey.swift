package import MillraceEvent

/// Where rows go: a leaf partition, or the events whose partition only a look-up can tell.
package enum LeafKey: Sendable, Hashable {
    /// The partition of a month (UTC) of the table of `kind`.
    case month(RecordKind, year: Int, month: Int)
    /// Events whose `id` came without any time: their month is that of the first time they were seen (`event_ids`).
    case identifiedEvents
}
