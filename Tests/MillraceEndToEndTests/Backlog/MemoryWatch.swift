/// The most memory that a daemon had.
struct MemoryWatch {
    private(set) var bytesMax = 0

    /// The kernel keeps the peak itself, so that no moment between two samples is missed.
    mutating func sample(_ daemon: DaemonProcess) {
        bytesMax = max(bytesMax, (try? daemon.process.memoryBytes("VmHWM")) ?? 0)
    }
}
