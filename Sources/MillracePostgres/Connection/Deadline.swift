/// The end of what an operation may take.
struct Deadline {
    private let instant: ContinuousClock.Instant

    init(after timeout: Duration) {
        instant = ContinuousClock.now.advanced(by: timeout)
    }

    /// What `poll` takes: milliseconds left, rounded up, 0 when over.
    var millisecondsLeft: Int32 {
        let (seconds, attoseconds) = (instant - ContinuousClock.now).components
        guard seconds >= 0, attoseconds >= 0 else { return 0 }
        let milliseconds = seconds.multipliedReportingOverflow(by: 1000)
        guard !milliseconds.overflow else { return .max }
        return Int32(clamping: milliseconds.partialValue + attoseconds / 1_000_000_000_000_000 + 1)
    }

    var isOver: Bool { instant <= ContinuousClock.now }
}

extension Duration {
    /// For the server's settings in milliseconds; rounded down, at least 1, because 0 means no limit there.
    var milliseconds: Int64 {
        max(1, components.seconds * 1000 + components.attoseconds / 1_000_000_000_000_000)
    }
}
