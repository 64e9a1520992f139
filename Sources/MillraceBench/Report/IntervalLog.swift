internal import Glibc
internal import MillraceConsole
internal import MillraceTelemetry

/// Files of a run's latencies: the interval log, and the percentile distributions.
final class IntervalLog {
    private let path: String
    private let descriptor: Int32

    /// Makes the file, or empties it.
    init(_ path: String) throws(CommandError) {
        self.path = path
        descriptor = try Self.create(path)
        try Self.write(HistogramLog.header(startedAt: WallClock.sinceEpoch), to: descriptor, path)
    }

    deinit {
        close(descriptor)
    }

    /// Two lines, tagged `corrected` and `uncorrected`. The ramp-up has none.
    func append(_ interval: LoadInterval, _ latencies: LatencyPair) throws(CommandError) {
        var text = ""
        for (tag, histogram) in [("corrected", latencies.corrected), ("uncorrected", latencies.uncorrected)] {
            text += HistogramLog.line(
                tag: tag, startedAt: interval.startedAt, length: interval.length, histogram)
        }
        try Self.write(text, to: descriptor, path)
    }

    /// Writes the corrected distribution to `path`, and the uncorrected one beside it.
    static func writeDistributions(_ latencies: LatencyPair, to path: String) throws(CommandError) {
        for (path, histogram) in [
            (path, latencies.corrected), (uncorrectedPath(path), latencies.uncorrected),
        ] {
            let descriptor = try create(path)
            defer { close(descriptor) }
            try write(PercentileDistribution.text(histogram), to: descriptor, path)
        }
    }

    /// `run.hgrm` → `run.uncorrected.hgrm`.
    static func uncorrectedPath(_ path: String) -> String {
        path.hasSuffix(".hgrm") ? path.dropLast(5) + ".uncorrected.hgrm" : path + ".uncorrected"
    }

    private static func create(_ path: String) throws(CommandError) -> Int32 {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw failed(path) }
        return descriptor
    }

    private static func write(_ text: String, to descriptor: Int32, _ path: String) throws(CommandError) {
        var bytes = Array(text.utf8)[...]
        while !bytes.isEmpty {
            let count = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw failed(path) }
            bytes = bytes.dropFirst(count)
        }
    }

    private static func failed(_ path: String) -> CommandError {
        CommandError(
            "\(path) cannot be written: \(String(cString: strerror(errno)))", hint: "Check the path and the disk")
    }
}
