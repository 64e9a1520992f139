/// What one connection may send that is refused.
package struct RefusalBounds: Sendable {
    /// Refused lines beyond the accepted ones; then the connection is closed.
    package var linesMax = 1000
    /// Refused lines that are all kept, in each `burstInterval`.
    package var burstLines = 100
    package var burstInterval = Duration.seconds(60)
    /// Of the further ones one in so many is kept.
    package var sampledOneIn = 100

    package init() {}

    package init(linesMax: Int, burstLines: Int, burstInterval: Duration, sampledOneIn: Int) {
        self.linesMax = linesMax
        self.burstLines = burstLines
        self.burstInterval = burstInterval
        self.sampledOneIn = sampledOneIn
    }
}
