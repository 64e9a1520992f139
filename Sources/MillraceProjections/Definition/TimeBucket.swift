/// The span of time that a projection's row stands for, in UTC; the column `bucket` holds its start.
package enum TimeBucket: String, Sendable, CaseIterable {
    case hour
    case day
    case month
}
