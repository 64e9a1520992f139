/// Cuts what was recorded into intervals for `latency.log`. Whatever fails, the intervals add up to all that was
/// recorded: an interval that could not be written goes on in the next one.
package struct LatencyLog {
    private let file: LatencyLogFile
    /// All that was recorded up to the end of the last interval that is in the file.
    private var written: LatencySnapshot

    /// `startedAt`: since 1970, the start of the first interval.
    package init(file: LatencyLogFile, startedAt: Duration) {
        self.file = file
        written = LatencySnapshot(startedAt: startedAt, endedAt: startedAt, stages: [])
    }

    /// Writes the interval that ends with `snapshot`, if anything happened in it. Blocks on the disk.
    package mutating func write(_ snapshot: LatencySnapshot) throws(LatencyLogError) {
        let interval = snapshot.since(written)
        if !interval.stages.isEmpty {
            try file.append(interval.logLines, startedAt: interval.startedAt)
        }
        written = snapshot
    }

    /// Closes the file and hands what was written to the disk: blocks on it. A later interval would open it again.
    package func close() {
        file.close()
    }
}
