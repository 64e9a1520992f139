import MillraceEvent
import MillraceIntake
import MillraceSpool
import MillraceTelemetry
import MillraceWriter
import Synchronization

/// The stages' counters, brought together for `/metrics`.
struct DaemonMetrics: Sendable {
    let intake = IntakeMetrics()
    let spool = SpoolMetrics()
    let writer = WriterMetrics()

    func text(channel: RecordChannel, extents: ExtentChannel) -> String { "" }
}
