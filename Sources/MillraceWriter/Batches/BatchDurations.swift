/// How long the parts of a batch's transaction took.
package struct BatchDurations: Sendable {
    package var copy: Duration
    /// Folding the rows and writing the deltas.
    package var projection: Duration
    package var commit: Duration
}
