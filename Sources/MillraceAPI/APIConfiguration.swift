package import MillraceChannels
package import MillraceEvent

/// Settings of the routes that Hummingbird answers.
package struct APIConfiguration: Sendable {
    package var tenant: Int32 = 0
    /// Largest body of a conversation save, in bytes.
    package var saveBodyBytesMax = 2 << 20
    package var limits = EventLimits()
    /// What bodies and recordings hold.
    package var memory = MemoryBudget()
    /// Recordings of latencies at the same time.
    package var recordingsMax = 16
    /// Without keys, this machine reads over loopback.
    package var isOpenOnLoopback = true
    /// Seconds in `Retry-After` when the spool takes nothing.
    package var retryAfterSeconds = 2
    /// Of the daemon, for `/openapi.json`.
    package var version = "0"

    package init() {}
}
