/// `partitions.retired`: where late events go when their month was detached.
package enum RetiredMonthPolicy: String, Sendable, CaseIterable {
    /// Into `dead_letters`, as `month_retired`.
    case deadLetter = "dead_letter"
    /// Into a new partition for the month, beside the detached table.
    case attach
}
